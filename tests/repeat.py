"""Run the tests several times with different seeds: `make test-repeat N=20`.

A seed determines the examples of Hypothesis, the order of sets of strings and the order of the
test files. After a failed run, the script prints the command that repeats this run, and stops.
Failures that depend on the speed of the machine may not be repeatable.
"""

import argparse
import os
import subprocess
import sys
from random import SystemRandom

SEEDS = 2**32


def environ_of(seed: int) -> dict[str, str]:
    """Return environment variables that make every random choice depend on `seed`."""
    seeded = {"PYTHONHASHSEED": seed, "TEST_ORDER_SEED": seed, "HYPOTHESIS_PROFILE": "seeded"}
    return dict(os.environ) | {name: str(value) for name, value in seeded.items()}


def repeat(times: int, seed: int | None, arguments: list[str]) -> int:
    """Run the tests up to `times` times, until a run fails. Return the last exit code.

    Each run has a random seed if `seed` is None.
    """
    for number in range(1, times + 1):
        chosen = SystemRandom().randrange(SEEDS) if seed is None else seed
        run = f"Run {number} of {times}, seed {chosen}"
        print(f"{run} / 第 {number} 次，共 {times} 次，种子 {chosen}", flush=True)
        command = [sys.executable, "-m", "pytest", f"--hypothesis-seed={chosen}", *arguments]
        code = subprocess.run(command, env=environ_of(chosen), check=False).returncode
        if code:
            again = " ".join(
                ["make test-repeat N=1", f"SEED={chosen}", *as_make_variables(arguments)]
            )
            print(
                f"Run {number} failed with seed {chosen}. Repeat it: {again}\n"
                f"第 {number} 次失败，种子为 {chosen}，可用以下命令重现：{again}",
                flush=True,
            )
            return code
    return 0


def as_make_variables(arguments: list[str]) -> list[str]:
    """Return arguments of pytest as the variable ARGS of make."""
    return [f'ARGS="{" ".join(arguments)}"'] if arguments else []


def main() -> int:
    """Run `repeat` with the arguments of the command line. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.repeat", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int)
    parser.add_argument("arguments", nargs="*", help="of pytest, after --")
    given = parser.parse_args()
    return repeat(given.times, given.seed, given.arguments)


if __name__ == "__main__":
    sys.exit(main())
