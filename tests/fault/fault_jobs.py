"""A job of several ranks under mpirun: beginning it, its processes, its end, what its ranks say."""
import os
import re
import signal
import subprocess
import time

MPIRUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "mpirun.sh")
# Every rank's standard error goes into a file of its own, so that mpirun's words are not among it.
APART = 'exec 2>"$SAID/$OMPI_COMM_WORLD_RANK"; exec "$@"'
# What no user should ever have to read.
NOISE = re.compile(r"Sanitizer|runtime error|Segmentation|Signal:|Assertion|terminate called|HDF5-DIAG|"
                   r"^ERROR \d|Traceback", re.MULTILINE)


def processes():
    """(number, parent, folder it works in, program's name) of all that can be looked at."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/stat", encoding="utf-8") as file:
                name, rest = re.match(r"\d+ \((.*)\) . (\d+)", file.read(), re.DOTALL).groups()
            yield int(number), int(rest), os.readlink(f"/proc/{number}/cwd"), name
        except (OSError, AttributeError):
            continue  # it has ended


def send(number, what):
    try:
        os.kill(number, what)
    except ProcessLookupError:
        pass


def catches(number, what):
    """Has the process a handler for the signal?"""
    try:
        with open(f"/proc/{number}/status", encoding="utf-8") as file:
            caught = int(re.search(r"SigCgt:\s*(\w+)", file.read()).group(1), 16)
        return bool(caught >> (what - 1) & 1)
    except (OSError, AttributeError):
        return False


class Job:
    """program WORDS on so many ranks, in the folder; said: an empty folder for what ranks say."""

    def __init__(self, program, ranks, words, folder, said):
        self.folder, self.said, self.ranks = os.path.realpath(folder), said, ranks
        # What Open MPI leaves when it is killed stays in a folder that is removed.
        environment = dict(os.environ, SAID=said, OMPI_MCA_orte_tmpdir_base=said,
                           OMPI_MCA_btl_vader_backing_directory=said)
        with open(os.path.join(said, "out"), "wb") as out, open(os.path.join(said, "mpirun"), "wb") as err:
            self.mpirun = subprocess.Popen(
                [MPIRUN, str(ranks), "bash", "-c", APART, "rank", program, *words], cwd=folder,
                env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        self.began, self.ended = time.monotonic(), None

    def processes(self):
        """Of its ranks, in no order; few or none while it begins."""
        return [number for number, parent, folder, name in processes()
                if parent == self.mpirun.pid and folder == self.folder and name == "segtiles"]

    def over(self):
        if self.ended is None and self.mpirun.poll() is not None:
            self.ended = time.monotonic()
        return self.ended is not None

    def status(self):
        """As a shell tells it."""
        code = self.mpirun.returncode
        return code if code >= 0 else 128 - code

    def wait(self, seconds, until=lambda: False):
        """Until it is over or `until` holds; False: neither came in time."""
        end = time.monotonic() + seconds
        while not self.over() and not until():
            if time.monotonic() > end:
                return False
            time.sleep(0.003)
        return True

    def end(self):
        """Kill what is left of it."""
        for number in self.left() + [self.mpirun.pid]:
            send(number, signal.SIGKILL)
        self.mpirun.wait()
        self.over()

    def left(self):
        """Processes that still work in its folder."""
        return [number for number, _, folder, _ in processes() if folder == self.folder]

    def errors(self):
        """The lines of its ranks in which an error is told."""
        return [line for line in self.words().splitlines() if line.startswith("segtiles: ")]

    def words(self):
        """All that its ranks have said on standard error."""
        text = ""
        for rank in range(self.ranks):
            path = os.path.join(self.said, str(rank))
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text += file.read()
        return text.replace("\r", "\n")

    def noise(self):
        found = NOISE.search(self.words())
        return found.group(0) if found else None
