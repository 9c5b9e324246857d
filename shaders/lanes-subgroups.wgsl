enable subgroups;

// lanes.wgsl where a workgroup is eight threads of one subgroup. What all of them need each loads an eighth of: to a software driver a
// load costs as much as some twenty multiplications, and one that all lanes share no less.
const LANES = 8u;

fn lane() -> u32 { return subgroupExclusiveAdd(1u) % LANES; }
fn from_lane(value: vec4f, lane: u32) -> vec4f { return subgroupShuffle(value, lane); }
