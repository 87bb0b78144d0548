packer {
  required_plugins { amazon = { source = "github.com/hashicorp/amazon", version = ">= 1.2.0" } }
}
variable "region" {
  type    = string
  default = "us-east-1"
  validation {
    condition     = length(var.region) > 2
    error_message = "Too short."
  }
}
variable "tags" { default = { team = "shop", n = 1 } }
locals {
  name  = "web-${formatdate("YYYYMMDD", timestamp())}"
  many  = [for k, v in var.tags : "${k}=${v}" if k != "n"]
  both  = merge(var.tags, { Name = local.name })
}
data "amazon-ami" "base" {
  filters     = { name = "ubuntu/images/*ubuntu-noble*", virtualization-type = "hvm" }
  owners      = ["099720109477"]
  most_recent = true
}
source "amazon-ebs" "web" {
  region        = var.region
  source_ami    = data.amazon-ami.base.id
  instance_type = "t3.small"
  ssh_username  = "ubuntu"
  ami_name      = local.name
  dynamic "tag" {
    for_each = local.both
    content {
      key   = tag.key
      value = tag.value
    }
  }
}
build {
  sources = ["source.amazon-ebs.web"]
  provisioner "shell" {
    inline = ["echo ${upper("x")}", "exit 0"]
    environment_vars = ["A=${var.region}"]
    only = ["amazon-ebs.web"]
  }
  provisioner "file" {
    source      = "site/"
    destination = "/srv/www"
  }
  post-processor "manifest" { output = "m.json" }
}
