//! stub
use uuid::Uuid;
#[derive(Debug,Clone,Copy,PartialEq,Eq)] pub enum Kind { CallIntent }
#[derive(Debug)] pub struct Receipt { seq:u64, call: Option<Uuid>, kind: Kind }
impl Receipt { pub fn call(&self)->Option<Uuid>{self.call} pub fn kind(&self)->Kind{self.kind} pub fn seq(&self)->u64{self.seq} }
