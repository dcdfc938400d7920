// The program that VS Code runs after the extension was uninstalled, from the extension's folder.

import * as path from "node:path";

import { removeNoted } from "./server/uninstall";

void removeNoted(path.dirname(__dirname));
