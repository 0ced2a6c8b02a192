/** `sallyport-agent disk`: what a person in dom0 does with the guest's volume. No pass phrase is an argument. */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { OrganisationKey, type SealedRecovery, sealedDigest } from "@sallyport/shared/disk/sealed.ts";
import { DiskState, diskWords } from "@sallyport/shared/disk/state.ts";
import { DiskSection, pcrsOf } from "@sallyport/shared/policy/disk.ts";
import type { Command } from "commander";
import { lookAtVolume } from "./appliers/disk.ts";
import { provision } from "./appliers/disk-provision.ts";
import { type RecoveryParts, type Renewed, renewRecovery } from "./appliers/disk-recovery.ts";
import { sha256 } from "./dom0/crypto.ts";
import { cryptsetupDisk } from "./dom0/disk.ts";
import { DoorError } from "./dom0/dom0.ts";
import { keptText } from "./dom0/kept-text.ts";
import { realDom0 } from "./dom0/real.ts";
import { hpke } from "./dom0/seal.ts";
import { PCRS_FIRST } from "./dom0/tpm.ts";
import { readEnrolment } from "./enrol/folder.ts";
import { inForce } from "./policy/believe.ts";
import { findKept } from "./policy/kept.ts";
import { isOnTrail, recoveriesIn, recoveryPath } from "./volume.ts";

const KEY_BYTES_MAX = 512;
const POLL_MS = 500;
type Told = (act: (...args: never[]) => Promise<void>) => (...args: unknown[]) => Promise<void>;
type StateOption = readonly [string, string, string];

export function diskCommand(program: Command, told: Told, stateOption: StateOption): void {
  const disk = program.command("disk").description("the guest's encrypted volume");
  disk
    .command("provision")
    .description("make a new LUKS2 volume with a pass phrase, and a recovery key sealed to the organisation")
    .requiredOption("--device <path>", "a device whose beginning is all zeros, or a file that is not there yet")
    .option("--size <MiB>", "make a file of that size")
    .requiredOption("--key-file <path>", "the pass phrase, as it is in the file; - reads it from standard input")
    .option("--recovery-to <key>", "the organisation's public key; else the one that the policy in force names")
    .option("--weak-stretch", "stretch keys hardly at all: for tests, and key files of full entropy")
    .option(...stateOption)
    .option("--json", "print the result as JSON")
    .action(
      told(async (options: ProvisionOptions) => {
        const { state, device, size, json } = options;
        const { workstation, recoveryTo } = enrolled(options);
        if (size !== undefined && !/^\d{1,9}$/.test(size)) throw new DoorError(`${size} is no number of MiB`);
        const made = await provision(partsOf(state, options.weakStretch), {
          device,
          ...(size !== undefined && { bytes: Number(size) * 1024 * 1024 }),
          key: await keyIn(options.keyFile),
          ...{ workstation, recoveryTo },
        });
        process.stdout.write(
          json
            ? `${JSON.stringify(made)}\n`
            : `${device} is volume ${made.volume}. Its recovery key is sealed to key ${made.sealed.to} and goes to the console as that.\n`,
        );
      }),
    );

  disk
    .command("recovery")
    .description(
      "give a volume a recovery key sealed to the organisation: its first, the next after one was used, one for another key of the organisation",
    )
    .argument("<path>", "the device or file")
    .requiredOption(
      "--key-file <path>",
      "what opens it: a pass phrase, or the recovery key that was used; - reads it from standard input",
    )
    .option("--recovery-to <key>", "the organisation's public key; else the one that the policy in force names")
    .option("--wait <seconds>", "how long to wait for the running agent to write it into the trail", "150")
    .option("--weak-stretch", "stretch keys hardly at all: for tests, and key files of full entropy")
    .option(...stateOption)
    .option("--json", "print the result as JSON")
    .action(
      told(async (device: string, options: RecoveryOptions) => {
        const { state, wait, json } = options;
        if (!/^\d{1,5}$/.test(wait)) throw new DoorError(`${wait} is no number of seconds`);
        const parts = partsOf(state, options.weakStretch);
        const { workstation, recoveryTo } = enrolled(options);
        const made = await renewRecovery(
          {
            ...parts,
            kept: async (volume) =>
              (await recoveriesIn(realDom0, state))
                .map(({ sealed }) => sealed)
                .filter((each) => each.volume === volume),
            reachesTrail: (sealed) => reachesTrail(workstation, state, sealed, Number(wait) * 1000),
            forget: async (sealed) => {
              for (const each of await recoveriesIn(realDom0, state))
                if (sealedDigest(sha256, each.sealed) === sealedDigest(sha256, sealed))
                  await parts.disk.remove(each.path);
            },
          },
          { device, key: await keyIn(options.keyFile), workstation, recoveryTo },
        );
        process.stdout.write(json ? `${JSON.stringify(made)}\n` : renewedWords(device, made));
      }),
    );

  disk
    .command("show")
    .description("what is found of a volume: cipher, keys, tokens")
    .argument("<path>", "the device or file")
    .option("--json", "print it as JSON")
    .action(
      told(async (device: string, { json }: { json?: boolean }) => {
        const state = DiskState.parse(await lookAtVolume(cryptsetupDisk(realDom0), { device, copies: [] }));
        process.stdout.write(`${json ? JSON.stringify(state) : diskWords(state)}\n`);
      }),
    );

  disk
    .command("tpm")
    .description(
      "add a key that this machine's TPM2 gives out while the named PCRs are as they are now; it takes the place of the one it held before",
    )
    .argument("<path>", "the device or file")
    .requiredOption("--key-file <path>", "a pass phrase that opens it; - reads it from standard input")
    .option("--pcrs <list>", "as 4+7+8+9; else what the policy in force names, else 4+7+8+9")
    .option("--pin-file <path>", "a PIN that is asked for as well, as it is in the file")
    .option(...stateOption)
    .action(
      told(async (device: string, { keyFile, pcrs: written, pinFile, state }: TpmOptions) => {
        const wanted = policyOf(state)?.disk;
        const read = DiskSection.shape.tpm2Pcrs.safeParse(written ?? wanted?.tpm2Pcrs);
        if (!read.success) throw new DoorError(`${written} are no PCRs: write them as 4+7+8+9`);
        if (wanted?.tpm2Pin && pinFile === undefined)
          throw new DoorError("The policy in force wants a PIN: give it by --pin-file. Nothing was changed.");
        const pcrs = read.data === undefined ? PCRS_FIRST : pcrsOf(read.data);
        const pin = pinFile === undefined ? undefined : new TextDecoder().decode(await keyIn(pinFile)).trim();
        if (pin !== undefined && !/^[^\0]{6,64}$/.test(pin))
          throw new DoorError("A PIN has 6 to 64 characters. Nothing was changed.");
        const key = await keyIn(keyFile);
        await cryptsetupDisk(realDom0).enrolTpm(device, key, { pcrs, ...(pin !== undefined && { pin }) });
        process.stdout.write(
          `A key of ${device} is held by this machine's TPM2: it gives it out while PCR ${pcrs.join(", ")} are as they are now${pin === undefined ? "" : ", for the PIN"}. After a change of what they measure, as a new kernel, the pass phrase opens it, and this is run again.\n`,
        );
      }),
    );
}

type TpmOptions = { state: string; keyFile: string; pcrs?: string; pinFile?: string };

/** Nothing where the machine is not enrolled: a volume may have its key before. */
function policyOf(state: string) {
  try {
    return inForce(sha256, readEnrolment(state).facts, findKept(state).kept)?.policy;
  } catch {
    return undefined;
  }
}

/** A person waits for the agent's next look at the volume, and sees that it is being waited for. */
async function reachesTrail(
  workstation: WorkstationId,
  state: string,
  sealed: SealedRecovery,
  waitMs: number,
): Promise<boolean> {
  const end = Date.now() + waitMs;
  if (!isOnTrail(workstation, state, sealed) && waitMs > 0)
    process.stderr.write("The new key is in place. Waiting for the running agent to write it into the trail …\n");
  while (!isOnTrail(workstation, state, sealed)) {
    if (Date.now() >= end) return false;
    await delay(POLL_MS);
  }
  return true;
}

function renewedWords(device: string, { volume, slot, sealed, ended, left, unmarked }: Renewed): string {
  const lines = [
    `Volume ${volume} has its recovery key in slot ${slot}, sealed to key ${sealed.to}; it goes to the console as that.`,
  ];
  if (ended.length > 0) lines.push(`The one before it, in slot ${ended.join(", ")}, opens nothing any more.`);
  if (left.length > 0)
    lines.push(
      `The one before it, in slot ${left.join(", ")}, still opens it: the new one is not on the trail yet. Start the agent, and run this again.`,
    );
  for (const each of unmarked)
    lines.push(
      `Key ${each} was left by a run that was ended half-way, or is somebody's own: nothing marks it. Where it is nobody's, end it: cryptsetup luksKillSlot ${device} ${each}`,
    );
  return `${lines.join("\n")}\n`;
}

/** @throws DoorError where nobody named the organisation's key */
function enrolled({ state, recoveryTo: given }: { state: string; recoveryTo?: string }) {
  const { facts } = readEnrolment(state);
  const recoveryTo = given ?? inForce(sha256, facts, findKept(state).kept)?.policy.disk.recoveryTo;
  if (recoveryTo === undefined || !OrganisationKey.safeParse(recoveryTo).success)
    throw new DoorError(
      "There is no organisation's key to seal the recovery key to. Name it under disk.recoveryTo in the policy, or with --recovery-to; `sallyport disk key` makes one.",
    );
  return { workstation: facts.workstation, recoveryTo };
}

const partsOf = (state: string, weakStretch: boolean | undefined): RecoveryParts => ({
  disk: cryptsetupDisk(realDom0, weakStretch ? ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"] : []),
  hash: sha256,
  hpke,
  random: (bytes) => new Uint8Array(randomBytes(bytes)),
  keepSealed: (sealed) => keptText(realDom0, recoveryPath(state, sealed), 1).write(`${JSON.stringify(sealed)}\n`),
});

type RecoveryOptions = {
  state: string;
  keyFile: string;
  wait: string;
  recoveryTo?: string;
  weakStretch?: boolean;
  json?: boolean;
};
type ProvisionOptions = {
  state: string;
  device: string;
  size?: string;
  keyFile: string;
  recoveryTo?: string;
  weakStretch?: boolean;
  json?: boolean;
};

/** As it is, to the byte: a line's end at its end is part of it. */
async function keyIn(path: string): Promise<Uint8Array> {
  if (path === "-") {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > KEY_BYTES_MAX) break;
    }
    return Buffer.concat(chunks);
  }
  const file = await realDom0.open(path);
  if (!file) throw new DoorError(`There is no key file ${path}.`);
  try {
    return await file.read(0, KEY_BYTES_MAX + 1);
  } finally {
    await file.close();
  }
}
