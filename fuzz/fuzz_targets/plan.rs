//! Arbitrary bytes as a plan: a plan or an error; a plan can be shown.
#![no_main]

use fusion_proto::codec;
use fusion_proto::plan::Plan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(plan) = codec::from_bytes::<Plan>(bytes) {
        let _ = plan.describe(true);
        let again = codec::to_bytes(&plan).unwrap();
        assert_eq!(codec::to_bytes(&codec::from_bytes::<Plan>(&again).unwrap()).unwrap(), again);
    }
});
