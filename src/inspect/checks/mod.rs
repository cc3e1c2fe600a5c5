//! Validators: arithmetic and issue rules that a value of a type must satisfy.

mod americas;
mod arithmetic;
mod asia;
mod europe;
mod finance;
#[cfg(test)]
mod tests;
mod text;

use serde::Deserialize;

pub(super) use arithmetic::{day, luhn};
pub(super) use finance::{iban_length, mod_97};
pub(super) use text::{entropy, location, placeholder};

/// What the letters and digits of a candidate must satisfy. They come in capitals and without what joins them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Check {
    /// The shape is all there is to check.
    #[default]
    Shape,
    AbaRouting,
    ArCuit,
    AtVnr,
    AuAbn,
    AuMedicare,
    AuTfn,
    BeNn,
    BrCnpj,
    BrCpf,
    CaSin,
    Card,
    ChAhv,
    ClRut,
    CnRic,
    CoNit,
    CzRc,
    DeSteuerId,
    DeSvnr,
    DkCpr,
    EeIk,
    EsNie,
    EsNif,
    FiHetu,
    FrNir,
    HrOib,
    IePps,
    IlId,
    InAadhaar,
    InGstin,
    InPan,
    ItCf,
    JpMyNumber,
    KrRrn,
    MxCurp,
    MyNric,
    NlBsn,
    NoFnr,
    PlPesel,
    PtNif,
    RoCnp,
    SePnr,
    SgNric,
    SwiftBic,
    ThPin,
    TrTckn,
    UkNhs,
    UkNino,
    UkUtr,
    UsDea,
    UsEin,
    UsItin,
    UsMbi,
    UsNpi,
    UsSsn,
    Vin,
    VinShape,
    ZaId,
    /// A number that a person was given, not one that counts: not all the same digit, not 123456….
    Issued,
}

impl Check {
    /// Whether `value` passes.
    pub fn passes(self, value: &[u8]) -> bool {
        match self {
            Self::Shape => true,
            Self::Issued => issued(value),
            Self::AbaRouting => finance::aba_routing(value),
            Self::Card => finance::card(value),
            Self::SwiftBic => finance::swift_bic(value),
            Self::ArCuit => americas::ar_cuit(value),
            Self::BrCnpj => americas::br_cnpj(value),
            Self::BrCpf => americas::br_cpf(value),
            Self::CaSin => americas::ca_sin(value),
            Self::ClRut => americas::cl_rut(value),
            Self::CoNit => americas::co_nit(value),
            Self::MxCurp => americas::mx_curp(value),
            Self::UsDea => americas::us_dea(value),
            Self::UsEin => americas::us_ein(value),
            Self::UsItin => americas::us_itin(value),
            Self::UsMbi => americas::us_mbi(value),
            Self::UsNpi => americas::us_npi(value),
            Self::UsSsn => americas::us_ssn(value),
            Self::Vin => americas::vin(value),
            Self::VinShape => americas::vin_shape(value),
            Self::AuAbn => asia::au_abn(value),
            Self::AuMedicare => asia::au_medicare(value),
            Self::AuTfn => asia::au_tfn(value),
            Self::CnRic => asia::cn_ric(value),
            Self::IlId => asia::il_id(value),
            Self::InAadhaar => asia::in_aadhaar(value),
            Self::InGstin => asia::in_gstin(value),
            Self::InPan => asia::in_pan(value),
            Self::JpMyNumber => asia::jp_my_number(value),
            Self::KrRrn => asia::kr_rrn(value),
            Self::MyNric => asia::my_nric(value),
            Self::SgNric => asia::sg_nric(value),
            Self::ThPin => asia::th_pin(value),
            Self::TrTckn => asia::tr_tckn(value),
            Self::ZaId => asia::za_id(value),
            Self::AtVnr => europe::at_vnr(value),
            Self::BeNn => europe::be_nn(value),
            Self::ChAhv => europe::ch_ahv(value),
            Self::CzRc => europe::cz_rc(value),
            Self::DeSteuerId => europe::de_steuer_id(value),
            Self::DeSvnr => europe::de_svnr(value),
            Self::DkCpr => europe::dk_cpr(value),
            Self::EeIk => europe::ee_ik(value),
            Self::EsNie | Self::EsNif => europe::es_nif(value),
            Self::FiHetu => europe::fi_hetu(value),
            Self::FrNir => europe::fr_nir(value),
            Self::HrOib => europe::hr_oib(value),
            Self::IePps => europe::ie_pps(value),
            Self::ItCf => europe::it_cf(value),
            Self::NlBsn => europe::nl_bsn(value),
            Self::NoFnr => europe::no_fnr(value),
            Self::PlPesel => europe::pl_pesel(value),
            Self::PtNif => europe::pt_nif(value),
            Self::RoCnp => europe::ro_cnp(value),
            Self::SePnr => europe::se_pnr(value),
            Self::UkNhs => europe::uk_nhs(value),
            Self::UkNino => europe::uk_nino(value),
            Self::UkUtr => europe::uk_utr(value),
        }
    }

    /// How much a pass says, 0 to 100: a random value passes the more seldom the higher.
    pub fn strength(self) -> u32 {
        match self {
            Self::Shape | Self::Issued | Self::UsSsn | Self::UsEin | Self::VinShape => 10,
            Self::UsItin | Self::KrRrn | Self::MyNric | Self::DkCpr | Self::SwiftBic => 20,
            Self::CaSin | Self::IlId | Self::NlBsn | Self::PtNif | Self::AuTfn | Self::AbaRouting => 40,
            Self::Card | Self::SePnr | Self::BrCpf | Self::BrCnpj | Self::TrTckn | Self::NoFnr => 70,
            Self::FrNir | Self::BeNn | Self::AuAbn | Self::ItCf | Self::MxCurp | Self::CnRic => 80,
            _ => 50,
        }
    }
}

/// Whether digits look as if someone had issued them, unlike `000000000` or `123456789`.
fn issued(value: &[u8]) -> bool {
    let step = |by: u8| value.windows(2).all(|pair| matches!(pair, [a, b] if a.wrapping_add(by) == *b));
    value.len() > 3 && !step(0) && !(value.len() > 8 && (step(1) || step(255)))
}
