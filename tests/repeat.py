"""Run the tests several times, each time from another seed: `make test-repeat N=20`.

A seed decides which examples Hypothesis tries, how sets of texts are ordered, and in which order
the files are run. The first run that fails is the last; its seed is printed with the command that
repeats it. What depends on the speed of the machine, no seed repeats.
"""

import argparse
import os
import subprocess
import sys
from random import SystemRandom

SEEDS = 2**32


def environ_of(seed: int) -> dict[str, str]:
    """Return the environment in which everything that is left to chance comes from a seed."""
    seeded = {"PYTHONHASHSEED": seed, "TEST_ORDER_SEED": seed, "HYPOTHESIS_PROFILE": "seeded"}
    return dict(os.environ) | {name: str(value) for name, value in seeded.items()}


def repeat(times: int, seed: int | None, arguments: list[str]) -> int:
    """Run the tests until they fail or have run so often; return the last exit code."""
    for number in range(1, times + 1):
        chosen = SystemRandom().randrange(SEEDS) if seed is None else seed
        run = f"Run {number} of {times}, seed {chosen}"
        print(f"{run} / 第 {number} 次，共 {times} 次，种子 {chosen}", flush=True)
        command = [sys.executable, "-m", "pytest", f"--hypothesis-seed={chosen}", *arguments]
        code = subprocess.run(command, env=environ_of(chosen), check=False).returncode
        if code:
            again = " ".join(["make test-repeat N=1", f"SEED={chosen}", *spelt(arguments)])
            print(
                f"Run {number} failed with seed {chosen}. Repeat it: {again}\n"
                f"第 {number} 次失败，种子为 {chosen}，可用以下命令重现：{again}",
                flush=True,
            )
            return code
    return 0


def spelt(arguments: list[str]) -> list[str]:
    """Spell arguments of pytest as make takes them."""
    return [f'ARGS="{" ".join(arguments)}"'] if arguments else []


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.repeat", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int)
    parser.add_argument("arguments", nargs="*", help="of pytest, after --")
    given = parser.parse_args()
    return repeat(given.times, given.seed, given.arguments)


if __name__ == "__main__":
    sys.exit(main())
