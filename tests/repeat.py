"""Run the tests several times with different seeds: `make test-repeat N=20`.

A seed selects the examples of Hypothesis, the order of sets of strings and the order of the files.
A failed run is the last one, and prints the command that repeats it. Effects of the machine's speed
are not repeatable.
"""

import argparse
import os
import subprocess
import sys
from random import SystemRandom

SEEDS = 2**32


def environ_of(seed: int) -> dict[str, str]:
    """Return an environment in which every random choice depends on a seed."""
    seeded = {"PYTHONHASHSEED": seed, "TEST_ORDER_SEED": seed, "HYPOTHESIS_PROFILE": "seeded"}
    return dict(os.environ) | {name: str(value) for name, value in seeded.items()}


def repeat(times: int, seed: int | None, arguments: list[str]) -> int:
    """Run the tests until they fail or the runs are done. Return the last exit code."""
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
    """Return arguments of pytest as variables of make."""
    return [f'ARGS="{" ".join(arguments)}"'] if arguments else []


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.repeat", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int)
    parser.add_argument("arguments", nargs="*", help="of pytest, after --")
    given = parser.parse_args()
    return repeat(given.times, given.seed, given.arguments)


if __name__ == "__main__":
    sys.exit(main())
