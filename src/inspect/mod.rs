//! stub
use uuid::Uuid;
#[derive(Debug)] pub struct Filtered<T> { value: T, call: Uuid }
impl<T> Filtered<T> { pub fn call(&self)->Uuid{self.call} pub fn value(&self)->&T{&self.value} }
