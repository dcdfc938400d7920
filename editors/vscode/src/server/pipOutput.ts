// Reads what pip prints: how far it is, and what went wrong in one sentence for the user. Knows
// nothing of how pip is run.

/** What a line of pip's says about progress, in a few words; undefined when nothing. */
export function progressOf(line: string): string | undefined {
  const downloading = /^\s*Downloading (\S+)(?: \(([^)]+)\))?/.exec(line);
  if (downloading !== null) {
    const [, what = "", size] = downloading;
    const name = nameOf(what);
    return size === undefined ? `downloading ${name}` : `downloading ${name} (${size})`;
  }
  const collecting = /^(?:Collecting|Processing) (\S+)/.exec(line);
  if (collecting !== null) {
    return `looking for ${nameOf(collecting[1] ?? "")}`;
  }
  if (/^\s*Building wheel/.test(line)) {
    return "building the server";
  }
  if (line.startsWith("Installing collected packages")) {
    return "installing what was downloaded";
  }
  return undefined;
}

/** What went wrong, given all that pip printed, and what to do about it. */
export function problemOf(output: string, requirement: string): string {
  const [, wanted] = /No matching distribution found for ([^\n]+)/.exec(output) ?? [];
  // First what makes other things fail: without a network nothing is found either.
  if (/No space left on device|Errno 28|not enough space on the disk/i.test(output)) {
    return "The disk is full. Make room and try again; nothing was left behind.";
  }
  if (NO_NETWORK.test(output)) {
    return (
      "Python packages could not be downloaded: there is no connection to the package index. " +
      "Try again online, or set infill.server.command to a server that is installed already."
    );
  }
  if (/Ignored the following versions that require a different python/i.test(output)) {
    return `pip found ${wanted ?? requirement} for other versions of Python only.`;
  }
  if (wanted !== undefined) {
    return (
      `pip found no package ${wanted.trim()}. Name one in the setting infill.server.package, ` +
      "such as the path of a wheel or of a checkout of infill-ls."
    );
  }
  if (/Invalid requirement|does not exist|is not installable|looks like a path/i.test(output)) {
    return (
      `${requirement}, which the setting infill.server.package names, is nothing that pip can ` +
      "install. It takes a name, or the path of a wheel or of a checkout of infill-ls."
    );
  }
  if (/Permission denied|Errno 13|Access is denied/i.test(output)) {
    return "A folder could not be written. The log says which.";
  }
  const said = /^ERROR: (.+)$/m.exec(output)?.[1];
  return said === undefined ? "pip failed. The log says why." : `pip failed: ${said.slice(0, 200)}`;
}

const NO_NETWORK = new RegExp(
  [
    "Temporary failure in name resolution",
    "Name or service not known",
    "getaddrinfo failed",
    "nodename nor servname",
    "NewConnectionError",
    "Network is unreachable",
    "Connection refused",
    "ConnectTimeoutError",
    "Read timed out",
    "ProxyError",
  ].join("|"),
);

/** Of a file, an address or a requirement, the part that a person knows. */
function nameOf(what: string): string {
  const file = what.split(/[\\/]/).at(-1) ?? what;
  return file.split(/[-<>=!~;[(@]/)[0] || file;
}
