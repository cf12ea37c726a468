"""Search for the network that suits the parts and the budgets."""
