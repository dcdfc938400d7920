// Where the server is looked for, and in which order.

import assert from "node:assert/strict";
import { test } from "node:test";

import { commandLine, findServer, resolveProgram, type Surroundings } from "../src/server/find";

function machine(programs: string[], env: Record<string, string> = {}): Surroundings {
  return {
    platform: "linux",
    env: { PATH: "/usr/bin:relative", ...env },
    home: "/home/u",
    isProgram: (file) => programs.includes(file),
  };
}

const PRIVATE_PYTHON = "/store/server/bin/python";

test("the setting comes first, then the private environment, then the PATH", () => {
  const all = machine(["/opt/mine", PRIVATE_PYTHON, "/usr/bin/infill-ls"]);
  assert.deepEqual(findServer(["/opt/mine", "serve"], "/store/server", all), {
    kind: "found",
    command: ["/opt/mine", "serve"],
    from: "setting",
  });
  assert.deepEqual(findServer([], "/store/server", all), {
    kind: "found",
    command: [PRIVATE_PYTHON, "-P", "-m", "infill_cli"],
    from: "private",
  });
  assert.deepEqual(findServer([], "/elsewhere", all), {
    kind: "found",
    command: ["/usr/bin/infill-ls"],
    from: "path",
  });
});

test("a setting that names nothing is said, not passed over", () => {
  const found = findServer(["/opt/gone"], "/store/server", machine([PRIVATE_PYTHON]));
  assert.deepEqual(found, { kind: "wrongSetting", program: "/opt/gone" });
});

test("where pipx puts programs is looked in without a PATH", () => {
  const found = findServer([], "/x", machine(["/home/u/.local/bin/infill-ls"]));
  assert.equal(found.kind, "found");
  assert.deepEqual(findServer([], "/x", machine([])), { kind: "none" });
});

test("nothing is started from whatever folder is open", () => {
  const evil = machine(["relative/infill-ls", "./infill-ls", "bin/infill-ls"]);
  assert.equal(resolveProgram("infill-ls", evil), undefined);
  assert.equal(resolveProgram("./infill-ls", evil), undefined);
  assert.equal(resolveProgram("bin/infill-ls", evil), undefined);
  assert.equal(resolveProgram("~/i", machine(["/home/u/i"])), "/home/u/i");
});

test("Windows: endings and folders of its own", () => {
  const windows: Surroundings = {
    platform: "win32",
    env: { Path: "C:\\Tools;C:\\Py\\Scripts" },
    home: "C:\\Users\\u",
    isProgram: (file) => file === "C:\\Py\\Scripts\\infill-ls.exe",
  };
  assert.equal(resolveProgram("infill-ls", windows), "C:\\Py\\Scripts\\infill-ls.exe");
});

test("other commands take the place of what makes it a server", () => {
  assert.deepEqual(commandLine(["/a/infill-ls", "serve", "--log-level", "debug"]), ["/a/infill-ls"]);
  assert.deepEqual(commandLine(["/a/infill-ls", "--stdio"]), ["/a/infill-ls"]);
  assert.deepEqual(commandLine(["py", "-P", "-m", "infill_cli"]), ["py", "-P", "-m", "infill_cli"]);
});
