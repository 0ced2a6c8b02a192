import { WHEN_ASKED } from "../tools/proofs.ts";
import { proveAll } from "./setup.ts";

proveAll(WHEN_ASKED);
