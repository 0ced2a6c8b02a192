/** Which socket of a group a datagram is for, by its source's address: a classic BPF program (linux/filter.h) for
 *  SO_ATTACH_REUSEPORT_CBPF. Known senders have one each, the others share those behind them. Pure. */
import { rangeOf } from "@sallyport/shared/policy/network/address.ts";

const LOAD_BYTE = 0x30;
const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const AND = 0x54;
const SHIFT_RIGHT = 0x74;
const MODULO = 0x94;
const ADD = 0x04;
const XOR_X = 0xac;
const TO_X = 0x07;
const RETURN = 0x06;
const RETURN_A = 0x16;
/** SKF_NET_OFF: counted from the IP header. */
const IP_HEADER = 0xfff0_0000;
const SOURCE = { 4: IP_HEADER + 12, 6: IP_HEADER + 8 };
/** BPF_MAXINSNS. Whose addresses find no place in it share a socket with those that are not known. */
const INSTRUCTIONS_MAX = 4_096;
/** What stands in the program besides the addresses, and then some. */
const FRAME_INSTRUCTIONS = 32;

type Instruction = { code: number; jt?: number; jf?: number; k: number };

/** 8 bytes an instruction, in this machine's (little endian) order. */
export function steering(senders: readonly (readonly string[])[], shared: number): Uint8Array {
  const blocks: { family: 4 | 6; code: Instruction[] }[] = [];
  let left = INSTRUCTIONS_MAX - FRAME_INSTRUCTIONS;
  for (const family of [4, 6] as const)
    for (const [index, addresses] of senders.entries())
      for (const address of addresses) {
        const { family: own, from } = rangeOf(mappedAsFour(address));
        if (own !== family) continue;
        const code = family === 4 ? four(from, index) : six(from, index);
        if (code.length > left) continue;
        left -= code.length;
        blocks.push({ family, code });
      }
  const codeOf = (family: 4 | 6) => blocks.flatMap((block) => (block.family === family ? block.code : []));
  const spread = (words: Instruction[]): Instruction[] => [
    ...words,
    { code: MODULO, k: shared },
    { code: ADD, k: senders.length },
    { code: RETURN_A, k: 0 },
  ];
  const ofFour = [{ code: LOAD_WORD, k: SOURCE[4] }, ...codeOf(4), ...spread([])];
  const ofSix = [
    ...codeOf(6),
    ...spread([
      { code: LOAD_WORD, k: SOURCE[6] + 12 },
      { code: TO_X, k: 0 },
      { code: LOAD_WORD, k: SOURCE[6] + 4 },
      { code: XOR_X, k: 0 },
    ]),
  ];
  // a jump by a condition reaches 255 instructions; one without goes anywhere
  const program: Instruction[] = [
    { code: LOAD_BYTE, k: IP_HEADER },
    { code: SHIFT_RIGHT, k: 4 },
    { code: AND, k: 0xf },
    { code: JUMP_EQUAL, jt: 1, jf: 0, k: 4 },
    { code: JUMP_ALWAYS, k: ofFour.length },
    ...ofFour,
    ...ofSix,
  ];
  const bytes = new DataView(new ArrayBuffer(program.length * 8));
  for (const [at, { code, jt = 0, jf = 0, k }] of program.entries()) {
    bytes.setUint16(at * 8, code, true);
    bytes.setUint8(at * 8 + 2, jt);
    bytes.setUint8(at * 8 + 3, jf);
    bytes.setUint32(at * 8 + 4, k, true);
  }
  return new Uint8Array(bytes.buffer);
}

const JUMP_ALWAYS = 0x05;

/** The source's address is loaded. */
const four = (address: bigint, index: number): Instruction[] => [
  { code: JUMP_EQUAL, jt: 0, jf: 1, k: Number(address) },
  { code: RETURN, k: index },
];

function six(address: bigint, index: number): Instruction[] {
  // the last word first: it tells most addresses apart
  const words = [3, 2, 1, 0].map((word) => ({
    word,
    value: Number((address >> BigInt(32 * (3 - word))) & 0xffff_ffffn),
  }));
  const length = words.length * 2;
  return [
    ...words.flatMap(({ word, value }, at) => [
      { code: LOAD_WORD, k: SOURCE[6] + word * 4 },
      { code: JUMP_EQUAL, jt: 0, jf: length + 1 - (at * 2 + 2), k: value },
    ]),
    { code: RETURN, k: index },
  ];
}

const mappedAsFour = (address: string): string => address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
