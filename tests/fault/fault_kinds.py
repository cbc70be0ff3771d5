"""Kinds of faults. A fault draws all that is left to chance when it is made, so that a seed repeats it."""
import os
import shutil
import signal
import time

from fault_jobs import catches, send

# How a job may end: killed, with any status but 0; failed, 1 and one line; stopped, 75; unhurt, 0.
KILLED, FAILED, STOPPED, UNHURT = "killed", "failed", "stopped", "unhurt"


class Fault:
    """What happens to a job, and what may come of it. Every one may come too late, or be of no matter."""
    wants_disk = False  # a file system of its own
    window = (0.05, 1.0)  # of the undisturbed run

    def __init__(self, draw, subject):
        self.subject, self.ends, self.names = subject, {UNHURT}, []
        self.victim = draw.random()
        self.what = ""
        self.scene = self.struck = None  # what is unreadable, what is damaged

    def one(self, job):
        numbers = sorted(job.processes())
        return numbers[int(self.victim * len(numbers))] if numbers else None

    def ready(self, job):
        """Can it happen now?"""
        return len(job.processes()) == job.ranks

    def strike(self, job):
        raise NotImplementedError

    def go_on(self, job):
        """Called again and again while the job runs."""

    def heal(self, folder):
        """What a user would do before giving the command again; returns words to add to it."""
        return []


class KilledRank(Fault):
    """One rank is killed."""

    def strike(self, job):
        self.ends.add(KILLED)
        send(self.one(job), signal.SIGKILL)


class KilledAll(Fault):
    """All ranks are killed, and mpirun, or mpirun alone."""

    def __init__(self, draw, subject):
        super().__init__(draw, subject)
        self.alone = draw.random() < 0.3
        self.what = "mpirun alone" if self.alone else "ranks and mpirun"

    def strike(self, job):
        self.ends.add(KILLED)
        for number in [job.mpirun.pid] + ([] if self.alone else job.processes()):
            send(number, signal.SIGKILL)


class Stopped(Fault):
    """One rank is stopped, and goes on a while later."""

    def __init__(self, draw, subject):
        super().__init__(draw, subject)
        self.pause = draw.uniform(0.2, 1.5)
        self.held = self.until = None

    def strike(self, job):
        self.held, self.until = self.one(job), time.monotonic() + self.pause
        send(self.held, signal.SIGSTOP)

    def go_on(self, job):
        if self.held and time.monotonic() > self.until:
            send(self.held, signal.SIGCONT)
            self.held = None


class Slow(Fault):
    """One rank is stopped three quarters of the time, from then on."""
    SLICE = 0.02

    def strike(self, job):
        self.held = self.one(job)

    def go_on(self, job):
        send(self.held, signal.SIGSTOP)
        time.sleep(3 * self.SLICE)
        send(self.held, signal.SIGCONT)
        time.sleep(self.SLICE)


class Signalled(Fault):
    """SIGTERM or SIGUSR1, to one rank, to all, or to mpirun, as batch systems send them."""

    def __init__(self, draw, subject):
        super().__init__(draw, subject)
        self.number = draw.choice([signal.SIGTERM, signal.SIGUSR1])
        self.to = draw.choice(["one rank", "all ranks", "mpirun"])
        self.what = f"{self.number.name} to {self.to}"

    def strike(self, job):
        numbers = job.processes()
        victims = {"one rank": [self.one(job)], "all ranks": numbers, "mpirun": [job.mpirun.pid]}[self.to]
        # A rank that has just begun has no handler yet, and mpirun kills soon what SIGTERM has told it to end.
        handled = all(catches(number, self.number) for number in (numbers if self.to == "mpirun" else victims))
        self.ends.add(STOPPED)
        if not handled or (self.to == "mpirun" and self.number == signal.SIGTERM):
            self.ends.add(KILLED)
        for number in victims:
            send(number, self.number)


class FullDisk(Fault):
    """The disk is full, until the job has ended."""
    wants_disk = True

    def strike(self, job):
        self.ends.add(FAILED)
        self.names = self.subject.written
        self.ballast = os.path.join(job.folder, "..", "ballast")
        with open(self.ballast, "wb") as file:
            while True:
                free = os.statvfs(job.folder)
                try:
                    size = os.fstat(file.fileno()).st_size + free.f_bavail * free.f_frsize
                    os.posix_fallocate(file.fileno(), 0, size)
                except OSError:
                    pass
                if os.statvfs(job.folder).f_bavail == 0:
                    break

    def heal(self, folder):
        os.unlink(self.ballast)
        return []


class Unreadable(Fault):
    """A scene is cut off, in its place or by another file, or is gone, or a folder has its name; bytes of what has
    checksums are turned."""

    def __init__(self, draw, subject):
        super().__init__(draw, subject)
        self.scene = draw.choice(subject.inputs)
        self.how = draw.choice(["cut off", "replaced by its first part", "gone", "a folder"] +
                               (["with turned bytes"] * 4 if subject.checked else []))
        self.share = draw.uniform(0, 0.95)
        self.places = [draw.random() for _ in range(draw.randint(1, 200))]
        self.what = f"{self.scene} {self.how}"

    def strike(self, job):
        self.ends.add(FAILED)
        self.names = [self.scene]
        path = os.path.join(job.folder, self.scene)
        self.aside = os.path.join(job.folder, "..", "aside")
        size = int(self.share * os.path.getsize(path))
        if self.how in ("cut off", "with turned bytes"):
            shutil.copy2(path, self.aside)
            if self.how == "cut off":
                os.truncate(path, size)
            else:
                turn_bytes(path, self.places)
            return
        os.rename(path, self.aside)
        if self.how == "a folder":
            os.mkdir(path)
        elif self.how != "gone":
            shutil.copy2(self.aside, path)
            os.truncate(path, size)

    def heal(self, folder):
        path = os.path.join(folder, self.scene)
        if self.how == "a folder":
            os.rmdir(path)
        if self.how in ("cut off", "with turned bytes"):
            os.unlink(path)
        os.rename(self.aside, path)
        return []


def turn_bytes(path, places):
    """Where, as shares of its length; all others stay untouched."""
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        for place in places if size else []:
            file.seek(int(place * size))
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 0x55]))


class Damaged(Fault):
    """All are killed when something is saved, and a few bytes of it are turned, or it is cut off."""
    window = (0.3, 0.85)

    def __init__(self, draw, subject):
        super().__init__(draw, subject)
        self.cut = draw.random() < 0.4
        self.places = [draw.random() for _ in range(draw.randint(1, 8))]
        self.which = draw.random()

    def ready(self, job):
        return len(job.processes()) == job.ranks and bool(self.subject.saved(job.folder))

    def strike(self, job):
        self.ends.add(KILLED)
        for number in [job.mpirun.pid] + job.processes():
            send(number, signal.SIGKILL)

    def heal(self, folder):
        """The damage is done when nobody writes any more."""
        saved = self.subject.saved(folder)
        if not saved:
            return []  # it was done
        path = saved[int(self.which * len(saved))]
        size = os.path.getsize(path)
        self.struck = os.path.relpath(path, folder)
        self.what = f"{self.struck} {'cut off' if self.cut else 'with turned bytes'}"
        if self.cut:
            os.truncate(path, int(self.places[0] * size))
        else:
            turn_bytes(path, self.places)
        return []


KINDS = {
    "rank killed": KilledRank,
    "all killed": KilledAll,
    "rank stopped a while": Stopped,
    "slow rank": Slow,
    "SIGTERM, SIGUSR1": Signalled,
    "full disk": FullDisk,
    "unreadable scene": Unreadable,
    "damaged file": Damaged,
}
