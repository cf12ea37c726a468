"""From photos and budgets to a gauge and the page that proves it: the whole flow."""
