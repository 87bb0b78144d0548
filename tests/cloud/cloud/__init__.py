"""The project's test cloud: moto's EC2, STS, SSM, S3, IAM and Auto Scaling, with real instances."""
