locals {
  v0 = "aaaaaaaaaa"
  v1 = "${local.v0}${local.v0}${local.v0}${local.v0}${local.v0}${local.v0}${local.v0}${local.v0}${local.v0}${local.v0}"
  v2 = "${local.v1}${local.v1}${local.v1}${local.v1}${local.v1}${local.v1}${local.v1}${local.v1}${local.v1}${local.v1}"
  v3 = "${local.v2}${local.v2}${local.v2}${local.v2}${local.v2}${local.v2}${local.v2}${local.v2}${local.v2}${local.v2}"
}
