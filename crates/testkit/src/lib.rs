//! ami-bake: the testkit room.
