"""Every row of the acceptance table has a test, and the page tells which."""

from tests.faults.page import PAGE, proofs, with_table
from tests.faults.table import rows


def test_every_row_has_a_test():
    assert sorted(rows()) == list(range(1, 57))
    assert rows().keys() - proofs().keys() == set()


def test_the_page_is_up_to_date():
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "run `make generate`"
