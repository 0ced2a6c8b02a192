"""A person at a terminal: runs a command on a pseudo-terminal and answers each question when it is asked. Arguments: the
questions and answers as JSON, then the command. Prints what was seen; ends as the command did."""
import json, os, pty, select, sys, time

answers = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen, fresh, end = b"", b"", time.time() + 120
while time.time() < end:
    ready, _, _ = select.select([fd], [], [], 0.2)
    if not ready:
        continue
    try:
        read = os.read(fd, 4096)
    except OSError:
        break
    if not read:
        break
    seen, fresh = seen + read, fresh + read
    if answers and answers[0][0].encode() in fresh:
        os.write(fd, (answers.pop(0)[1] + "\r").encode())
        fresh = b""
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(status))
