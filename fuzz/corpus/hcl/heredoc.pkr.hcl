locals {
  a = <<-EOT
    %{ for x in ["a", "b"] ~}
    ${x}
    %{ endfor ~}
  EOT
  b = local.a == "" ? [] : tolist([1, 2...])
}
build {}
