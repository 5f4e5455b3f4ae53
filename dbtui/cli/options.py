"""Options that several commands share: what binds a configuration to this machine."""

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="A run file (.toml), the name of a preset, or a model: what it was trained with."
    ),
]
Model = Annotated[
    str | None, typer.Option("--model", metavar="MODEL", help="Start model: a file, a folder, or a Hub id.")
]
Data = Annotated[
    str | None,
    typer.Option("--data", metavar="DIR", help='Pictures, in folders "<repeats>_<identifier> <class>".'),
]
Reg = Annotated[
    str | None, typer.Option("--reg", metavar="DIR", help='Class pictures, in folders "<repeats>_<class>".')
]
Identifier = Annotated[
    str | None, typer.Option("--identifier", metavar="WORD", help="Rare word; --data is then a plain folder.")
]
Class = Annotated[
    str | None, typer.Option("--class", metavar="WORDS", help="Kind of thing; --data is then a plain folder.")
]
Concepts = Annotated[
    Path | None,
    typer.Option("--concepts", metavar="FILE", help="A concepts_list.json: takes over its concepts."),
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Name of the run; else the next free number.")
]
RunsDir = Annotated[Path, typer.Option("--runs-dir", metavar="DIR", help="Folder that holds the runs.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as train.max_steps=800; repeatable."),
]
Gpus = Annotated[
    str | None,
    typer.Option("--gpus", metavar="N|all", help="GPUs of this machine that share each batch; else one trains."),
]
Nodes = Annotated[
    int, typer.Option("--nodes", metavar="N", help="Machines that train together; see docs/scale.md.")
]
NodeRank = Annotated[
    int,
    typer.Option("--node-rank", metavar="N", help="Which of the machines this is; 0 makes and writes the run."),
]
Rendezvous = Annotated[
    str | None,
    typer.Option(
        "--rendezvous", metavar="HOST:PORT", help="Where the machines meet: an address of the first one."
    ),
]
Run = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Name or path of the run; the newest live one if not given.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]

DEFAULT_RUNS_DIR = Path("runs")
