locals {
  a = jsondecode("{\"a\": [1]}")
  b = regex_replace("a.b", "(.)\\.", "$1")
  c = range(0, 10, 2)
  d = cidrsubnet("10.0.0.0/8", 8, 2)
  e = format("%05d %s", 3, try(local.x.y, "z"))
  f = setproduct(["a"], ["b", "c"])[*]
}
