"""A USB device that no emulator has: a stick that is also a keyboard. It is spoken to by the kernel's own USB/IP host
controller (vhci_hcd, Documentation/usb/usbip_protocol.rst) over a socket pair, and only answers what enumeration asks."""
import socket
import struct

PORT, DEVICE_ID, SPEED_HIGH = 0, 1, 3
SUBMIT, UNLINK, RETURN_SUBMIT, RETURN_UNLINK = 1, 2, 3, 4
IN = 1
CONNECTION_RESET, PIPE = -104, -32

DEVICE = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0, 0, 0, 64, 0x1209, 0x5A11, 0x0100, 1, 2, 3, 1)
STORAGE = struct.pack("<9B", 9, 4, 0, 0, 2, 0x08, 0x06, 0x50, 0)
STORAGE += struct.pack("<BBBBHB", 7, 5, 0x81, 2, 512, 0) + struct.pack("<BBBBHB", 7, 5, 0x02, 2, 512, 0)
KEYBOARD = struct.pack("<9B", 9, 4, 1, 0, 1, 0x03, 0x01, 0x01, 0)
KEYBOARD += struct.pack("<BBHBBBH", 9, 0x21, 0x0111, 0, 1, 0x22, 63) + struct.pack("<BBBBHB", 7, 5, 0x83, 3, 8, 8)
FACES = STORAGE + KEYBOARD
CONFIGURATION = struct.pack("<BBHBBBBB", 9, 2, 9 + len(FACES), 2, 1, 0, 0x80, 50) + FACES
STRINGS = {1: "Two faces", 2: "Stick and keyboard", 3: "0001"}


def string(index):
    body = struct.pack("<H", 0x0409) if index == 0 else STRINGS.get(index, "?").encode("utf-16-le")
    return bytes([2 + len(body), 3]) + body


def answer(setup):
    """What a control transfer on endpoint 0 is answered with; None refuses it."""
    kind, request, value, _, length = struct.unpack("<BBHHH", setup)
    if (kind, request) == (0x80, 6):
        found = {1: DEVICE, 2: CONFIGURATION, 3: string(value & 0xFF)}.get(value >> 8)
        return None if found is None else found[:length]
    if (kind, request) == (0x80, 0):
        return b"\0\0"[:length]
    return b"" if kind & 0x80 == 0 else None


def serve(wire):
    while header := wire.recv(48, socket.MSG_WAITALL):
        command, number, _, direction, endpoint = struct.unpack(">5I", header[:20])
        if command == UNLINK:
            wire.sendall(struct.pack(">5Ii24x", RETURN_UNLINK, number, 0, 0, 0, CONNECTION_RESET))
            continue
        length = struct.unpack(">I", header[24:28])[0]
        if direction != IN and length > 0:
            wire.recv(length, socket.MSG_WAITALL)
        if endpoint != 0:
            continue  # a keyboard with nothing typed, a stick that says nothing
        said = answer(header[40:48])
        status, body = (PIPE, b"") if said is None else (0, said if direction == IN else b"")
        wire.sendall(struct.pack(">5IiIIII8x", RETURN_SUBMIT, number, 0, 0, 0, status, len(body), 0, 0, 0) + body)


ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
with open("/sys/devices/platform/vhci_hcd.0/attach", "w") as attach:
    attach.write(f"{PORT} {kernels.fileno()} {DEVICE_ID} {SPEED_HIGH}")
kernels.close()
serve(ours)
