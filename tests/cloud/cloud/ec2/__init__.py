"""The parts of EC2 that moto lacks: real machines, contents of snapshots, states over time, refusals."""
