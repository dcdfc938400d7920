// Reads `infill-ls model list`. Knows nothing of how models are chosen.

export interface Model {
  /** What `infill-ls model use` takes. */
  name: string;
  /** Its size, or why it can not be used. */
  description: string;
  isChosen: boolean;
}

/** The models of a list in which each line is a star or a space, a name, and a description. */
export function readModelList(printed: string): Model[] {
  return printed.split(/\r?\n/).flatMap((line) => {
    const [, star, name, description] = /^([* ]) (.+?) {2}(.*)$/.exec(line) ?? [];
    return name === undefined
      ? []
      : [{ name, description: description ?? "", isChosen: star === "*" }];
  });
}
