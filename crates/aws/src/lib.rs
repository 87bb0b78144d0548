//! ami-bake: the aws room.
