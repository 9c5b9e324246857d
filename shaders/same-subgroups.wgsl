enable subgroups;

// An index that all threads of the workgroup have in common: a software driver that knows so loads once what stands there.
fn same(index: u32) -> u32 { return subgroupBroadcastFirst(index); }
