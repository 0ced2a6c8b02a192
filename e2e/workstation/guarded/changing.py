"""A stick that no emulator has: each block is what it should be when it is read for the first time, and something else from
then on. It speaks bulk-only transport (USB Mass Storage Class, 1.0) and the few SCSI commands that a kernel asks, over the
kernel's own USB/IP host controller (vhci_hcd, Documentation/usb/usbip_protocol.rst).

changing.py FIRST SECOND COUNTS: two images of one size; after each read, how often each block was read goes into COUNTS."""
import json
import socket
import struct
import sys

PORT, DEVICE_ID, SPEED_HIGH = 0, 2, 3
SUBMIT, UNLINK, RETURN_SUBMIT, RETURN_UNLINK = 1, 2, 3, 4
IN = 1
CONNECTION_RESET, PIPE = -104, -32
BLOCK = 512

DEVICE = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0, 0, 0, 64, 0x1209, 0x5A12, 0x0100, 1, 2, 3, 1)
FACE = struct.pack("<9B", 9, 4, 0, 0, 2, 0x08, 0x06, 0x50, 0)
FACE += struct.pack("<BBBBHB", 7, 5, 0x81, 2, 512, 0) + struct.pack("<BBBBHB", 7, 5, 0x02, 2, 512, 0)
CONFIGURATION = struct.pack("<BBHBBBBB", 9, 2, 9 + len(FACE), 1, 1, 0, 0x80, 50) + FACE
STRINGS = {1: "Two answers", 2: "Changing stick", 3: "0002"}
SENSE_NONE, SENSE_UNKNOWN = (0, 0), (5, 0x20)

images = [open(name, "rb").read() for name in sys.argv[1:3]]
counts = [0] * (len(images[0]) // BLOCK)
sense = SENSE_NONE
saying = []


def string(index):
    body = struct.pack("<H", 0x0409) if index == 0 else STRINGS.get(index, "?").encode("utf-16-le")
    return bytes([2 + len(body), 3]) + body


def control(setup):
    """What a control transfer on endpoint 0 is answered with; None refuses it."""
    kind, request, value, _, length = struct.unpack("<BBHHH", setup)
    if (kind, request) == (0x80, 6):
        found = {1: DEVICE, 2: CONFIGURATION, 3: string(value & 0xFF)}.get(value >> 8)
        return None if found is None else found[:length]
    if (kind, request) == (0xA1, 0xFE):
        return b"\0"  # one logical unit
    if (kind, request) == (0x80, 0):
        return b"\0\0"[:length]
    return b"" if kind & 0x80 == 0 else None


def read(start, blocks):
    out = b""
    for at in range(start, start + blocks):
        out += images[min(counts[at], 1)][at * BLOCK:(at + 1) * BLOCK]
        counts[at] += 1
    with open(sys.argv[3], "w") as told:
        json.dump(counts, told)
    return out


def scsi(command):
    """The answer of one SCSI command; None where it is not known."""
    last = len(counts) - 1
    match command[0]:
        case 0x00 | 0x1B | 0x1E | 0x35:
            return b""
        case 0x03:
            return struct.pack(">BBBIBIBB4x", 0x70, 0, sense[0], 0, 10, 0, sense[1], 0)
        case 0x12 if command[1] & 1 == 0:
            return struct.pack(">BBBBBxxx8s16s4s", 0, 0x80, 4, 2, 31, b"Two     ", b"Answers".ljust(16), b"1.00")
        case 0x1A:
            return bytes([3, 0, 0x80, 0])
        case 0x25:
            return struct.pack(">II", last, BLOCK)
        case 0x28:
            start, blocks = struct.unpack(">I", command[2:6])[0], struct.unpack(">H", command[7:9])[0]
            return read(start, blocks) if start + blocks <= last + 1 else None
    return None


def wrapped(packet):
    """A command block → the data and the status that are to be said next."""
    global sense
    signature, tag, length, flags, _, size = struct.unpack("<IIIBBB", packet[:15])
    assert signature == 0x43425355
    said = scsi(packet[15:15 + size])
    if packet[15] != 0x03:
        sense = SENSE_UNKNOWN if said is None else SENSE_NONE
    data = (said or b"")[:length] if flags & 0x80 else b""
    status = struct.pack("<IIIB", 0x53425355, tag, length - len(data), 1 if said is None else 0)
    saying[:] = [data.ljust(length, b"\0") if said is None and flags & 0x80 else data, status]
    if saying[0] == b"":
        saying.pop(0)


def heard(length):
    """What an IN transfer of so many bytes gets."""
    part, saying[0] = saying[0][:length], saying[0][length:]
    if saying[0] == b"":
        saying.pop(0)
    return part


def serve(wire):
    while header := wire.recv(48, socket.MSG_WAITALL):
        command, number, _, direction, endpoint = struct.unpack(">5I", header[:20])
        if command == UNLINK:
            wire.sendall(struct.pack(">5Ii24x", RETURN_UNLINK, number, 0, 0, 0, CONNECTION_RESET))
            continue
        length = struct.unpack(">I", header[24:28])[0]
        body = wire.recv(length, socket.MSG_WAITALL) if direction != IN and length > 0 else b""
        said, taken = b"", length
        if endpoint == 0:
            said = control(header[40:48])
        elif direction == IN:
            said = heard(length)
        elif len(body) == 31:
            wrapped(body)
        status = PIPE if said is None else 0
        out = said if said and direction == IN else b""
        count = len(out) if direction == IN else taken
        wire.sendall(struct.pack(">5IiIIII8x", RETURN_SUBMIT, number, 0, 0, 0, status, count, 0, 0, 0) + out)


ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
with open("/sys/devices/platform/vhci_hcd.0/attach", "w") as attach:
    attach.write(f"{PORT} {kernels.fileno()} {DEVICE_ID} {SPEED_HIGH}")
kernels.close()
serve(ours)
