"""The number of steps, and the words that say how it comes about."""


def test_every_picture_of_a_pass_counts_once_per_repeat(plan):
    made = plan(train={"max_steps": 40})
    assert made.order.steps_per_epoch == 20
    assert made.epochs == 2
    assert made.formula == "20 pictures a pass = 20 steps; 40 steps = 2.0 passes"


def test_batches_and_accumulation_round_up(plan):
    made = plan(train={"max_steps": 40, "batch_size": 3, "gradient_accumulation": 2})
    assert made.order.batches_per_epoch == 7  # 20 / 3
    assert made.order.steps_per_epoch == 4  # 7 / 2
    each_pass = "20 pictures a pass / batches of 3 (rounded up) / 2 accumulated (rounded up) = 4 steps"
    assert made.formula == f"{each_pass}; 40 steps = 10.0 passes"


def test_each_bucket_has_batches_of_its_own(plan, pictures):
    pictures("train/2_sls frog", 1, size=(128, 32))  # 2 items that are alone in their bucket
    made = plan(
        dataset={"bucket": {"enable": True, "min_reso": 64, "max_reso": 128}, "resolution": [64, 64]},
        train={"epochs": 3, "batch_size": 4},
    )
    sizes = {size: len(items) for size, items in made.order.buckets.items()}
    assert sum(sizes.values()) == 24
    assert made.order.steps_per_epoch == sum(-(-count // 4) for count in sizes.values())
    assert made.total_steps == 3 * made.order.steps_per_epoch
    assert sum(made.buckets.values()) == 9


def test_without_max_steps_and_epochs_it_is_the_guides_1600(plan):
    assert plan().total_steps == 1600


def test_every_batch_of_the_planned_order_can_be_fetched(plan):
    made = plan(train={"epochs": 2, "batch_size": 3, "gradient_accumulation": 2})
    seen = [item for step in range(made.total_steps) for batch in made.order.step(step) for item in batch.items]
    assert len(seen) == 2 * 20
    assert set(seen) == set(range(len(made.items)))


def test_without_pictures_there_is_a_plan_with_a_problem(plan, tmp_path):
    (tmp_path / "empty").mkdir()
    made = plan(dataset={"train_dir": str(tmp_path / "empty")}, train={"epochs": 2})
    assert made.total_steps == 0
    assert made.buckets == {}
    assert [int(error.code) for error in made.errors] == [3]
