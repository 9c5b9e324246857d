// An index that all threads of the workgroup have in common.
fn same(index: u32) -> u32 { return index; }
