"""The project's test cloud: moto's EC2, STS, SSM, S3, IAM and AutoScaling with instances that are real."""
