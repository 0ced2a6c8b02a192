import { MORE_BUILDS } from "../tools/proofs.ts";
import { proveAll } from "./setup.ts";

proveAll(MORE_BUILDS);
