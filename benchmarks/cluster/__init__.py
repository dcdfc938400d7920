"""A team on one cluster: a real one of two replicas here, and fleets of GPUs in simulation."""
