"""The processes of one run: this one alone, or those that `accelerate launch`, `torchrun` or `mpirun` started."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from accelerate import PartialState
from accelerate.utils import get_int_from_env

WORLD_SIZE = ["WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"]
LONGEST_WAIT = timedelta(days=30)  # of the first process that is done for the last one


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run.

    Attributes:
        index, count: number of this process, from 0, and how many there are. Number 0 leads.
        local_index: its number on this machine.
        state: accelerate's view of them; None if this process is alone.
    """

    index: int = 0
    count: int = 1
    local_index: int = 0
    state: PartialState | None = None

    @property
    def leads(self) -> bool:
        """Whether this process begins and finishes what all do together."""
        return self.index == 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.state is not None:
            self.state.wait_for_everyone()

    @contextlib.contextmanager
    def leader_first(self) -> Iterator[None]:
        """The leader goes through the block first, then the others."""
        if not self.leads:
            self.wait()
        yield
        if self.leads:
            self.wait()


def launched_ranks() -> Ranks:
    """The processes that were launched together with this one."""
    if get_int_from_env(WORLD_SIZE, 1) == 1:
        return Ranks()
    state = PartialState(cpu=True, timeout=LONGEST_WAIT)  # they wait for each other only; images may be made on GPUs
    return Ranks(state.process_index, state.num_processes, state.local_process_index, state)
