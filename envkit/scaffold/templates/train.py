"""Where training starts: with what configs/train.json says, and weights that models.yaml names.

envkit snapshot -- python3 code/train.py --config configs/train.json
"""

import argparse
import json
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Read the configuration and find the weights; the training itself goes here."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, default=PROJECT / "configs" / "train.json")
    config = json.loads(parser.parse_args().config.read_text("utf-8"))
    print(f"seed {config['seed']}, {config['epochs']} epochs")
    if config["weights"] is None:
        print("no weights to begin with: put the name of a file in checkpoints/ into the configuration")
        return
    weights = PROJECT / "checkpoints" / config["weights"]
    print(f"from {weights.name}, {weights.stat().st_size} bytes")
    # import paddle
    # model.set_state_dict(paddle.load(str(weights)))


if __name__ == "__main__":
    main()
