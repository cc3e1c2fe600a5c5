//! stub
use uuid::Uuid;
#[derive(Debug)] pub struct Permit { call: Uuid }
impl Permit { pub fn call(&self)->Uuid{self.call} }
