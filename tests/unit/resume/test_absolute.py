"""What `dbtui resume` finds out before it starts a trainer, which works in another folder."""

from dbtui.runs.absolute import with_absolute_paths


def test_paths_are_made_absolute_and_everything_else_is_left_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ("dataset.train_dir=pics", "model.base=owner/name", "train.max_steps = 5", "optimizer.type=lion")
    assert with_absolute_paths(given) == (
        f'dataset.train_dir="{tmp_path}/pics"',
        'model.base="owner/name"',
        *given[2:],
    )
    assert with_absolute_paths(['sample.prompts_file="a b.txt"']) == (f'sample.prompts_file="{tmp_path}/a b.txt"',)
