"""What EC2 does and moto does not: real machines, contents of snapshots, states in time, refusals."""
