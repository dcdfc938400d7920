// Reading `infill-ls model list`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readModelList } from "../src/status/models";

test("each line is a model, the starred one is chosen", () => {
  const printed =
    "* embedded  13.2 M parameters, 13 MiB, int8\n" +
    "  /models/my gemma  cannot be used: it has no config.json\n";
  assert.deepEqual(readModelList(printed), [
    { name: "embedded", description: "13.2 M parameters, 13 MiB, int8", isChosen: true },
    { name: "/models/my gemma", description: "cannot be used: it has no config.json", isChosen: false },
  ]);
});
