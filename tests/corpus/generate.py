#!/usr/bin/env python3
"""Makes corpus.jsonl: documents with known findings, hard negatives and disguised values.

    pip install python-stdnum==2.2 && python3 tests/corpus/generate.py > tests/corpus/corpus.jsonl

Values carry valid check digits (python-stdnum decides), sentences and labels are those that people and programs write,
not those of the rules. Every value that would look like a credential has a `¦` in it, so that no scanner takes this file
for a leak; readers remove it. Spans are byte offsets without it.
"""
import base64, importlib, json, random, string, sys, urllib.parse

R = random.Random(20261126)
D, U, L = string.digits, string.ascii_uppercase, string.ascii_lowercase
B62 = D + U + L
CUT = "¦"

def pick(xs): return R.choice(xs)
def rnd(alphabet, n): return "".join(R.choice(alphabet) for _ in range(n))
def digits(n): return rnd(D, n)
def ymd2(): return f"{R.randint(40, 99):02d}{R.randint(1, 12):02d}{R.randint(1, 28):02d}"
def dmy2(): s = ymd2(); return s[4:] + s[2:4] + s[:2]

def until(module, make):
    check = importlib.import_module("stdnum." + module)
    for _ in range(200000):
        v = make()
        if check.is_valid(v): return v
    raise SystemExit(module)

def luhn(body):
    for d in D:
        s = 0
        for i, c in enumerate(reversed(body + d)):
            n = int(c)
            if i % 2: n = n * 2 - 9 if n > 4 else n * 2
            s += n
        if s % 10 == 0: return body + d

def card():
    brand = R.randint(0, 5)
    if brand == 0: v = luhn("4" + digits(14))
    elif brand == 1: v = luhn(str(R.randint(51, 55)) + digits(13))
    elif brand == 2: v = luhn("3" + pick("47") + digits(12))
    elif brand == 3: v = luhn("6011" + digits(11))
    elif brand == 4: v = luhn("4" + digits(14))
    else: v = luhn("35" + str(R.randint(28, 89)) + digits(11))
    if len(v) == 15: return pick([v, f"{v[:4]} {v[4:10]} {v[10:]}", f"{v[:4]}-{v[4:10]}-{v[10:]}"])
    return pick([v, " ".join(v[i:i+4] for i in range(0, 16, 4)), "-".join(v[i:i+4] for i in range(0, 16, 4))])

def iban():
    country, n = pick([("DE", 18), ("NL", 14), ("FR", 23), ("ES", 20), ("GB", 18), ("PL", 24), ("CH", 17), ("BE", 12), ("AT", 16)])
    body = {"NL": lambda: rnd(U, 4) + digits(10), "GB": lambda: rnd(U, 4) + digits(14)}.get(country, lambda: digits(n))()
    num = "".join(str(int(c, 36)) for c in body + country + "00")
    v = country + f"{98 - int(num) % 97:02d}" + body
    return pick([v, " ".join(v[i:i+4] for i in range(0, len(v), 4))])

FIRST = "ana bruno chloé dmitri elif farid greta hiro ines jonas kaja luca maya noor olga pedro quinn rosa sven tuan uma viktor wei xenia yusuf zoë".split()
LAST = "almeida becker costa dubois eriksen fischer garcía haddad ivanov jansen kowalski lindqvist moreau novak okafor petrov rossi silva tanaka urban varga weber xu yilmaz zhang".split()
def ascii_(s): return s.encode("ascii", "ignore").decode()
def email():
    f, l = ascii_(pick(FIRST)), ascii_(pick(LAST))
    local = pick([f"{f}.{l}", f"{f}{R.randint(1,99)}", f"{f[0]}{l}", f"{f}_{l}", f"{f}+news"])
    return f"{local}@{pick(['gmail.com','outlook.com','example.org','mail.example.co.uk','web.de','corp-mail.io','163.com','uni-wien.ac.at'])}"

def phone_intl():
    return pick([
        lambda: f"+1 {R.randint(2,9)}{pick('02345678')}{digits(1)} {R.randint(2,9)}{digits(2)} {digits(4)}",
        lambda: f"+44 20 7{digits(3)} {digits(4)}", lambda: f"+49 30 {digits(7)}", lambda: f"+33 6 {digits(2)} {digits(2)} {digits(2)} {digits(2)}",
        lambda: f"+34 6{digits(2)} {digits(3)} {digits(3)}", lambda: f"+39 3{digits(2)} {digits(7)}", lambda: f"+81 90-{digits(4)}-{digits(4)}",
        lambda: f"+86 138{digits(8)}", lambda: f"+91 9{digits(4)} {digits(5)}", lambda: f"+5511 9{digits(4)}-{digits(4)}",
        lambda: f"+4179{digits(7)}", lambda: f"+46 70-{digits(3)} {digits(2)} {digits(2)}"])()
def phone_us():
    a, b, c = f"{R.randint(2,9)}{pick('02345678')}{digits(1)}", f"{R.randint(2,9)}{digits(2)}", digits(4)
    return pick([f"({a}) {b}-{c}", f"{a}-{b}-{c}", f"{a}.{b}.{c}", f"1-{a}-{b}-{c}"])
def phone_local(): return pick([f"06 {digits(2)} {digits(2)} {digits(2)} {digits(2)}", f"020 7{digits(3)} {digits(4)}", f"0171 {digits(7)}", f"9{digits(9)}", f"070-{digits(3)} {digits(2)} {digits(2)}"])

def ip(): return pick([lambda: f"{pick([23,45,81,93,104,151,185,203])}.{R.randint(33,250)}.{R.randint(1,250)}.{R.randint(1,250)}",
                       lambda: f"2001:db8:{rnd('123456789abcdef',4)}:{rnd('123456789abcdef',3)}::{rnd('123456789abcdef',4)}"])()
def mac(): s = pick(":-"); return s.join(rnd("0123456789abcdef", 2) for _ in range(5)) + s + f"{R.randint(10,99)}"
def dob():
    y, m, d = R.randint(1940, 2005), R.randint(1, 12), R.randint(1, 28)
    en = "January February March April May June July August September October November December".split()
    return pick([f"{y}-{m:02d}-{d:02d}", f"{d:02d}/{m:02d}/{y}", f"{d:02d}.{m:02d}.{y}", f"{en[m-1]} {d}, {y}", f"{d} {en[m-1]} {y}"])

def ssn(): return f"{R.randint(100,665):03d}-{R.randint(10,99):02d}-{R.randint(1000,9999):04d}"
def spaced(v, *groups):
    out, at = [], 0
    for g in groups: out.append(v[at:at+g]); at += g
    return out

ID = {
 "US_SSN": ssn, "US_ITIN": lambda: f"9{digits(2)}-7{digits(1)}-{digits(4)}", "US_EIN": lambda: f"{pick(['12','20','36','45','81'])}-{digits(7)}",
 "US_NPI": lambda: luhn("80840" + "1" + digits(8))[5:],
 "US_MBI": lambda: "1" + pick("ACDEFGHJKMNPQRTUVWXY") + pick("ACDEFGHJKMNPQRTUVWXY") + digits(1) + pick("ACDEFGHJKMNPQRTUVWXY") + pick("ACDEFGHJK") + digits(1) + rnd("ACDEFGHJKMNPQRTUVWXY", 2) + digits(2),
 "US_DEA": lambda: (lambda p, n: p + n + str((int(n[0]) + int(n[2]) + int(n[4]) + 2 * (int(n[1]) + int(n[3]) + int(n[5]))) % 10))(pick("AB") + pick(U), digits(6)),
 "ABA_ROUTING": lambda: until("us.rtn", lambda: pick(["01", "02", "11", "12", "26", "32"]) + digits(7)),
 "CA_SIN": lambda: (lambda v: pick([v, f"{v[:3]} {v[3:6]} {v[6:]}", f"{v[:3]}-{v[3:6]}-{v[6:]}"]))(until("ca.sin", lambda: pick("1234567") + digits(8))),
 "BR_CPF": lambda: (lambda v: pick([v, f"{v[:3]}.{v[3:6]}.{v[6:9]}-{v[9:]}"]))(until("br.cpf", lambda: digits(11))),
 "BR_CNPJ": lambda: (lambda v: f"{v[:2]}.{v[2:5]}.{v[5:8]}/{v[8:12]}-{v[12:]}")(until("br.cnpj", lambda: digits(8) + "0001" + digits(2))),
 "MX_CURP": lambda: until("mx.curp", lambda: rnd(U, 1) + pick("AEIOU") + rnd(U, 2) + ymd2() + pick("HM") + pick(["DF", "JC", "NL"]) + rnd("BCDFGLMNPRST", 3) + digits(2)),
 "CL_RUT": lambda: (lambda v: f"{v[:2]}.{v[2:5]}.{v[5:8]}-{v[8]}")(until("cl.rut", lambda: pick("12") + digits(7) + pick(D + "K"))),
 "AR_CUIT": lambda: (lambda v: f"{v[:2]}-{v[2:10]}-{v[10]}")(until("ar.cuit", lambda: pick(["20", "27", "30"]) + digits(9))),
 "CO_NIT": lambda: (lambda v: f"{v[:3]}.{v[3:6]}.{v[6:9]}-{v[9]}")(until("co.nit", lambda: "8" + digits(9))),
 "UK_NHS": lambda: (lambda v: pick([v, f"{v[:3]} {v[3:6]} {v[6:]}"]))(until("gb.nhs", lambda: "4" + digits(9))),
 "UK_NINO": lambda: (lambda a, n, s: pick([a + n + s, f"{a} {n[:2]} {n[2:4]} {n[4:]} {s}"]))(pick(["AB", "CE", "JG", "PW", "SX"]), digits(6), pick("ABCD")),
 "UK_UTR": lambda: until("gb.utr", lambda: digits(10)),
 "AU_TFN": lambda: (lambda v: pick([v, f"{v[:3]} {v[3:6]} {v[6:]}"]))(until("au.tfn", lambda: digits(9))),
 "AU_ABN": lambda: (lambda v: f"{v[:2]} {v[2:5]} {v[5:8]} {v[8:]}")(until("au.abn", lambda: digits(11))),
 "AU_MEDICARE": lambda: (lambda b: (lambda v: pick([v, f"{v[:4]} {v[4:9]} {v[9]}"]))(b + str(sum(int(c) * w for c, w in zip(b, [1, 3, 7, 9, 1, 3, 7, 9])) % 10) + "1"))(pick("23456") + digits(7)),
 "IN_AADHAAR": lambda: (lambda v: pick([v, f"{v[:4]} {v[4:8]} {v[8:]}"]))(until("in_.aadhaar", lambda: pick("23456789") + digits(11))),
 "IN_PAN": lambda: rnd(U, 3) + pick("PCHF") + rnd(U, 1) + digits(4) + rnd(U, 1),
 "IN_GSTIN": lambda: until("in_.gstin", lambda: "27" + rnd(U, 3) + pick("PC") + rnd(U, 1) + digits(4) + rnd(U, 1) + "1Z" + pick(D + U)),
 "DE_STEUER_ID": lambda: until("de.idnr", lambda: (lambda s: s[:3] + s[1] + s[3:] + pick(D))(pick("123456789") + "".join(R.sample(D, 8)))),
 "DE_SVNR": None,
 "AT_VNR": lambda: until("at.vnr", lambda: str(R.randint(1000, 9999)) + dmy2()),
 "CH_AHV": lambda: (lambda v: f"{v[:3]}.{v[3:7]}.{v[7:11]}.{v[11:]}")(until("ch.ssn", lambda: "756" + digits(10))),
 "FR_NIR": lambda: (lambda v: pick([v, f"{v[0]} {v[1:3]} {v[3:5]} {v[5:7]} {v[7:10]} {v[10:13]} {v[13:]}"]))(until("fr.nir", lambda: pick("12") + f"{R.randint(40,99):02d}{R.randint(1,12):02d}" + pick(["75", "13", "33", "69"]) + digits(8))),
 "ES_NIF": lambda: until("es.dni", lambda: digits(8) + rnd(U, 1)), "ES_NIE": lambda: until("es.nie", lambda: pick("XYZ") + digits(7) + rnd(U, 1)),
 "IT_CF": lambda: until("it.codicefiscale", lambda: rnd("BCDFGLMNPRST", 6) + digits(2) + pick("ABCDEHLMPRST") + f"{R.randint(1,28):02d}" + pick("FHL") + digits(3) + rnd(U, 1)),
 "PT_NIF": lambda: until("pt.nif", lambda: pick("12") + digits(8)),
 "BE_NN": lambda: (lambda v: pick([v, f"{v[:2]}.{v[2:4]}.{v[4:6]}-{v[6:9]}.{v[9:]}"]))(until("be.nn", lambda: ymd2() + digits(5))),
 "NL_BSN": lambda: until("nl.bsn", lambda: pick("12") + digits(8)), "PL_PESEL": lambda: until("pl.pesel", lambda: ymd2() + digits(5)),
 "SE_PNR": lambda: (lambda v: pick([f"{v[:6]}-{v[6:]}", f"19{v[:6]}-{v[6:]}"]))(until("se.personnummer", lambda: ymd2() + digits(4))),
 "FI_HETU": lambda: until("fi.hetu", lambda: dmy2() + "-" + str(R.randint(2, 899)).zfill(3) + pick("0123456789ABCDEFHJKLMNPRSTUVWXY")),
 "DK_CPR": lambda: dmy2() + "-" + digits(4), "NO_FNR": lambda: until("no.fodselsnummer", lambda: dmy2() + digits(5)),
 "CZ_RC": lambda: (lambda v: f"{v[:6]}/{v[6:]}")(until("cz.rc", lambda: f"{R.randint(60,99)}{R.randint(1,12):02d}{R.randint(1,28):02d}" + digits(4))),
 "RO_CNP": lambda: until("ro.cnp", lambda: pick("12") + ymd2() + "12" + digits(4)), "HR_OIB": lambda: until("hr.oib", lambda: digits(11)),
 "IE_PPS": lambda: until("ie.pps", lambda: digits(7) + pick("ABCDEFGHIJKLMNOPQRSTUVW") + pick(["", "A"])),
 "EE_IK": lambda: until("ee.ik", lambda: pick("34") + ymd2() + digits(4)), "TR_TCKN": None, "IL_ID": lambda: until("il.idnr", lambda: digits(9)),
 "ZA_ID": lambda: until("za.idnr", lambda: ymd2() + digits(4) + "08" + digits(1)),
 "SG_NRIC": lambda: (lambda p, n: p + n + ("JZIHGFEDCBA" if p in "ST" else "XWUTRQPNMLK")[(sum(int(c) * w for c, w in zip(n, [2, 7, 6, 5, 4, 3, 2])) + (4 if p in "TG" else 0)) % 11])(pick("STFG"), digits(7)),
 "KR_RRN": lambda: ymd2() + "-" + pick("12") + digits(6), "TH_PIN": lambda: until("th.pin", lambda: pick("1357") + digits(12)),
 "CN_RIC": lambda: until("cn.ric", lambda: pick(["110101", "310104", "440305"]) + "19" + ymd2() + digits(3) + pick(D + "X")),
 "JP_MY_NUMBER": lambda: until("jp.in_", lambda: digits(12)),
 "MY_NRIC": lambda: f"{ymd2()}-{pick(['01','10','14'])}-{digits(4)}",
 "SWIFT_BIC": lambda: pick(["DEUTDEFF", "BNPAFRPP", "CHASUS33XXX", "INGBNL2A", "BARCGB22", "UBSWCHZH80A"]),
 "US_BANK_ACCOUNT": lambda: digits(pick([8, 10, 12])), "UK_SORT_CODE": lambda: f"{R.randint(10,99)}-{R.randint(10,99)}-{R.randint(10,99)}",
 "PASSPORT": lambda: pick([pick(U) + digits(8), digits(9), rnd(U, 2) + digits(7)]), "DRIVERS_LICENSE": lambda: pick([pick(U) + digits(7), pick(U) + digits(8)]),
 "MEDICAL_RECORD_NUMBER": lambda: digits(pick([7, 8])), "HEALTH_MEMBER_ID": lambda: rnd(U, 3) + digits(9),
 "VIN": lambda: until_vin(), "DATE_OF_BIRTH": dob, "CREDIT_CARD": card, "IBAN": iban, "EMAIL": email,
 "PHONE": lambda: pick([phone_intl, phone_us])(), "IP_ADDRESS": ip, "MAC_ADDRESS": mac,
 "CRYPTO_ADDRESS": lambda: pick(["1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "0x" + rnd("0123456789abcdef", 40)]),
}
def tckn():
    b = pick("123456789") + digits(8)
    n = [int(c) for c in b]
    t = (sum(n[0::2]) * 7 - sum(n[1:8:2])) % 10
    return b + str(t) + str((sum(n) + t) % 10)
def svnr():
    area, d, letter, serial = f"{R.randint(10,65):02d}", dmy2(), pick(U), f"{R.randint(0,99):02d}"
    s = area + d + f"{ord(letter) - 64:02d}" + serial
    t = sum((int(c) * w) // 10 + (int(c) * w) % 10 for c, w in zip(s, [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]))
    return area + d + letter + serial + str(t % 10)
def until_vin():
    w = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2]
    tr = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", [1,2,3,4,5,6,7,8,1,2,3,4,5,7,9,2,3,4,5,6,7,8,9]))
    v = pick(["1HG", "WVW", "JTD", "5YJ"]) + rnd("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", 5) + "0" + rnd("ABCDEFGHJKL", 1) + rnd("ABCDEFGHJKL", 1) + digits(6)
    s = sum((int(c) if c in D else tr[c]) * x for c, x in zip(v, w)) % 11
    return v[:8] + ("X" if s == 10 else str(s)) + v[9:]
ID["TR_TCKN"], ID["DE_SVNR"] = tckn, svnr

# What people write in front of a value: phrases for sentences, names for keys and columns.
LABEL = {
 "US_SSN": (["SSN", "Social Security number", "her social is"], ["ssn", "socialSecurityNumber", "SSN"]), "US_ITIN": (["ITIN"], ["itin"]), "US_EIN": (["EIN", "Employer Identification Number"], ["ein", "employer_id"]),
 "US_NPI": (["NPI", "National Provider Identifier"], ["npi", "providerNpi"]), "US_MBI": (["Medicare beneficiary id", "MBI"], ["mbi"]), "US_DEA": (["DEA number", "DEA #"], ["dea_number", "deaNumber"]),
 "ABA_ROUTING": (["routing number", "ABA routing"], ["routing_number", "routingNumber"]), "CA_SIN": (["Social Insurance Number", "SIN"], ["sin", "socialInsuranceNumber"]), "BR_CPF": (["CPF", "CPF do cliente"], ["cpf"]),
 "BR_CNPJ": (["CNPJ"], ["cnpj"]), "MX_CURP": (["CURP"], ["curp"]), "CL_RUT": (["RUT"], ["rut"]), "AR_CUIT": (["CUIT", "CUIL"], ["cuit"]), "CO_NIT": (["NIT"], ["nit"]),
 "UK_NHS": (["NHS number", "NHS no."], ["nhs_number", "nhsNumber"]), "UK_NINO": (["National Insurance number", "NI number"], ["nino", "national_insurance"]), "UK_UTR": (["Unique Taxpayer Reference", "UTR"], ["utr"]),
 "AU_TFN": (["Tax File Number", "TFN"], ["tfn", "taxFileNumber"]), "AU_ABN": (["ABN"], ["abn"]), "AU_MEDICARE": (["Medicare card number", "Medicare number"], ["medicare_number", "medicareNumber"]),
 "IN_AADHAAR": (["Aadhaar", "Aadhaar number", "आधार संख्या"], ["aadhaar", "aadhaarNumber"]), "IN_PAN": (["PAN"], ["pan"]), "IN_GSTIN": (["GSTIN"], ["gstin"]),
 "DE_STEUER_ID": (["Steuer-ID", "Meine Steueridentifikationsnummer lautet"], ["steuer_id", "steuerId"]), "DE_SVNR": (["Sozialversicherungsnummer", "SV-Nummer"], ["svnr"]), "AT_VNR": (["Sozialversicherungsnummer", "SVNR"], ["svnr", "sozialversicherungsnummer"]),
 "CH_AHV": (["AHV-Nummer", "No AVS"], ["ahv"]), "FR_NIR": (["numéro de sécurité sociale", "N° Sécu"], ["nir", "numero_secu"]), "ES_NIF": (["DNI", "NIF"], ["dni", "nif"]), "ES_NIE": (["NIE"], ["nie"]), "IT_CF": (["codice fiscale", "C.F."], ["codice_fiscale"]),
 "PT_NIF": (["NIF", "número de contribuinte"], ["nif"]), "BE_NN": (["rijksregisternummer", "numéro national"], ["rijksregisternummer", "niss"]), "NL_BSN": (["BSN", "burgerservicenummer"], ["bsn"]), "PL_PESEL": (["PESEL", "numer PESEL"], ["pesel"]),
 "SE_PNR": (["personnummer"], ["personnummer"]), "FI_HETU": (["henkilötunnus", "hetu"], ["hetu"]), "DK_CPR": (["CPR-nummer", "CPR"], ["cpr", "cprNummer"]), "NO_FNR": (["fødselsnummer"], ["fodselsnummer", "fnr"]), "CZ_RC": (["rodné číslo", "r.č."], ["rodne_cislo"]),
 "RO_CNP": (["CNP", "cod numeric personal"], ["cnp"]), "HR_OIB": (["OIB"], ["oib"]), "IE_PPS": (["PPS number", "PPSN"], ["ppsn"]), "EE_IK": (["isikukood"], ["isikukood"]), "TR_TCKN": (["TC Kimlik No", "T.C. kimlik numarası"], ["tckn", "tc_kimlik_no"]),
 "IL_ID": (["תעודת זהות", "Teudat Zehut"], ["teudat_zehut"]), "ZA_ID": (["SA ID number", "ID number"], ["sa_id", "id_number"]), "SG_NRIC": (["NRIC"], ["nric"]), "KR_RRN": (["주민등록번호"], ["rrn", "주민등록번호"]), "TH_PIN": (["เลขประจำตัวประชาชน", "Thai national ID"], ["thai_id", "citizen_id"]),
 "CN_RIC": (["身份证号码为", "身份证"], ["身份证号", "id_card"]), "JP_MY_NUMBER": (["マイナンバー", "個人番号"], ["my_number", "個人番号"]), "MY_NRIC": (["MyKad", "IC number", "No. Kad Pengenalan"], ["mykad", "ic_number"]),
 "SWIFT_BIC": (["BIC", "SWIFT code"], ["bic", "swift_code"]), "US_BANK_ACCOUNT": (["account number", "acct no.", "checking account"], ["account_number", "bankAccount"]), "UK_SORT_CODE": (["sort code"], ["sort_code", "sortCode"]),
 "PASSPORT": (["passport number", "Passport No.", "Reisepass", "护照号"], ["passport_number", "passportNo"]), "DRIVERS_LICENSE": (["driver's license", "driving licence no.", "DL"], ["drivers_license", "driverLicense"]),
 "MEDICAL_RECORD_NUMBER": (["MRN", "medical record number", "patient ID"], ["mrn", "medicalRecordNumber"]), "HEALTH_MEMBER_ID": (["member ID", "insurance member number"], ["member_id", "memberId"]), "VIN": (["VIN"], ["vin"]),
 "DATE_OF_BIRTH": (["date of birth", "DOB", "born on", "geboren am", "né le", "生年月日"], ["dob", "dateOfBirth", "birth_date"]), "CREDIT_CARD": (["card", "paid with"], ["card_number", "cardNumber"]), "IBAN": (["IBAN", "transfer to"], ["iban"]),
 "EMAIL": (["mail", "write to"], ["email", "contactEmail"]), "PHONE": (["phone", "call", "Tel."], ["phone", "phoneNumber"]), "IP_ADDRESS": (["client", "from"], ["client_ip", "remoteAddr"]), "MAC_ADDRESS": (["device", "MAC"], ["mac", "macAddress"]), "CRYPTO_ADDRESS": (["wallet", "send BTC to"], ["wallet"]),
}

SECRET = {
 "AWS_ACCESS_KEY": lambda: pick(["AKIA", "ASIA"]) + rnd("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16), "GITHUB_TOKEN": lambda: pick(["ghp_", "gho_", "ghs_"]) + rnd(B62, 36), "GITLAB_TOKEN": lambda: "glpat-" + rnd(B62, 20),
 "SLACK_TOKEN": lambda: f"xoxb-{digits(12)}-{digits(12)}-{rnd(B62, 24)}", "STRIPE_KEY": lambda: "sk_live_" + rnd(B62, 24), "GOOGLE_API_KEY": lambda: "AIza" + rnd(B62 + "_-", 35), "OPENAI_KEY": lambda: f"sk-{rnd(B62, 20)}T3BlbkFJ{rnd(B62, 20)}",
 "ANTHROPIC_KEY": lambda: f"sk-ant-api03-{rnd(B62, 93)}AA", "HUGGINGFACE_TOKEN": lambda: "hf_" + rnd(U + L, 34), "NPM_TOKEN": lambda: "npm_" + rnd(B62, 36), "PYPI_TOKEN": lambda: "pypi-AgEIcHlwaS5vcmc" + rnd(B62, 70),
 "SENDGRID_KEY": lambda: f"SG.{rnd(B62, 22)}.{rnd(B62, 43)}", "TWILIO_KEY": lambda: "SK" + rnd("0123456789abcdef", 32), "DIGITALOCEAN_TOKEN": lambda: "dop_v1_" + rnd("0123456789abcdef", 64), "DATABRICKS_TOKEN": lambda: "dapi" + rnd("0123456789abcdef", 32),
 "SHOPIFY_TOKEN": lambda: "shpat_" + rnd("0123456789abcdef", 32), "TELEGRAM_TOKEN": lambda: f"{digits(9)}:AA{rnd(B62, 33)}", "GROQ_KEY": lambda: "gsk_" + rnd(B62, 52), "VAULT_TOKEN": lambda: "hvs." + rnd(B62, 90), "LINEAR_KEY": lambda: "lin_api_" + rnd(B62, 40),
 "NEW_RELIC_KEY": lambda: "NRAK-" + rnd(U + D, 27), "GRAFANA_TOKEN": lambda: f"glsa_{rnd(B62, 32)}_{rnd('0123456789abcdef', 8)}", "DOCKER_TOKEN": lambda: "dckr_pat_" + rnd(B62, 27), "POSTMAN_KEY": lambda: f"PMAK-{rnd('0123456789abcdef', 24)}-{rnd('0123456789abcdef', 34)}",
 "AIRTABLE_TOKEN": lambda: f"pat{rnd(B62, 14)}.{rnd('0123456789abcdef', 64)}", "FIGMA_TOKEN": lambda: "figd_" + rnd(B62, 40), "DISCORD_BOT_TOKEN": lambda: f"{pick('MNO')}{rnd(B62, 23)}.{rnd(B62, 6)}.{rnd(B62, 27)}", "TERRAFORM_TOKEN": lambda: f"{rnd(B62, 14)}.atlasv1.{rnd(B62, 67)}",
 "JWT": lambda: ".".join(base64.urlsafe_b64encode(x).decode().rstrip("=") for x in [b'{"alg":"HS256","typ":"JWT"}', json.dumps({"sub": digits(8)}).encode(), R.randbytes(32)]),
 "NOTION_TOKEN": lambda: "secret_" + rnd(B62, 43), "MAILGUN_KEY": lambda: "key-" + rnd("0123456789abcdef", 32), "PLANETSCALE_TOKEN": lambda: "pscale_tkn_" + rnd(B62, 43), "SQUARE_TOKEN": lambda: "EAAA" + rnd(B62, 60), "ATLASSIAN_TOKEN": lambda: "ATATT3" + rnd(B62, 180) + "=" + rnd("0123456789ABCDEF", 8),
}
NAMED = {
 "AWS_SECRET_ACCESS_KEY": ("AWS_SECRET_ACCESS_KEY", lambda: rnd(B62 + "+/", 40)), "PASSWORD": ("DB_PASSWORD", lambda: rnd(L, 5) + pick("!$%") + rnd(B62, 6) + digits(1)), "GENERIC_SECRET": ("CLIENT_SECRET", lambda: rnd(B62, 30) + digits(2)),
 "DATADOG_KEY": ("DATADOG_API_KEY", lambda: rnd("0123456789abcdef", 32)), "COHERE_KEY": ("COHERE_API_KEY", lambda: rnd(B62, 40)), "TWILIO_AUTH_TOKEN": ("TWILIO_AUTH_TOKEN", lambda: rnd("0123456789abcdef", 32)),
}

docs, counter = [], 0
class Doc:
    """A text under construction, with spans."""
    def __init__(self): self.parts, self.spans = [], []
    def add(self, s): self.parts.append(s); return self
    def value(self, kind, v, shown=None):
        start = len("".join(self.parts).encode())
        shown = v if shown is None else shown
        self.parts.append(shown)
        self.spans.append({"type": kind, "start": start, "end": start + len(shown.encode())})
        return self
    def text(self): return "".join(self.parts)

def emit(kind, text=None, value=None, spans=(), evasion=None):
    global counter
    counter += 1
    d = {"id": f"{kind}-{counter}"}
    if text is not None: d["text"] = text
    else: d["json"] = value
    d["spans"] = list(spans)
    if evasion: d["evasion"] = evasion
    docs.append(d)

FILL = ["Thanks for the quick reply.", "The meeting moved to room 4.", "Please check the attached file before Friday.", "Le rapport sera prêt demain.", "Vielen Dank für die Rückmeldung.", "Nos vemos el lunes.", "La riunione è alle 15.", "会議は三時からです。", "文件已经发送。", "Спасибо за помощь.", "The build passed after 3 retries.", "Latency p99 fell to 41 ms."]
def fill(): return pick(FILL)

def prose(kind, v, phrase):
    d = Doc().add(fill() + " " if R.random() < .6 else "")
    pick([lambda: d.add(f"{phrase}: "), lambda: d.add(f"{phrase} "), lambda: d.add(f"The {phrase} on file is " if phrase.isascii() else f"{phrase} ")])()
    d.value(kind, v).add(pick([".", ", thanks.", " (verified)", "\n"])).add(" " + fill())
    return d
def log(kind, v, key):
    d = Doc().add(f"2026-0{R.randint(1,9)}-1{R.randint(0,9)}T0{R.randint(0,9)}:{R.randint(10,59)}:{R.randint(10,59)}Z INFO svc[{R.randint(100,9999)}]: update {key}=")
    return d.value(kind, v).add(f" status={pick(['ok','retry'])} took={R.randint(1,900)}ms")
def mail(kind, v, phrase):
    return Doc().add(f"From: support\nSubject: your request\n\nHello {pick(FIRST)},\n\n{fill()}\n{phrase}: ").value(kind, v).add(f"\n\nRegards\n{pick(FIRST)}")
def code(kind, v, key): return Doc().add(f"def test_{R.randint(1,99)}():\n    {key} = \"").value(kind, v).add(f"\"\n    assert check({key}) is True\n")
def yaml(kind, v, key): return Doc().add(f"customer:\n  tier: gold\n  {key}: ").value(kind, v).add("\n  active: true\n")
def csv(kind, key, values):
    sep = pick([",", "\t", ";"])
    d = Doc().add(sep.join(["name", key, "city"]) + "\n")
    for v in values: d.add(pick(FIRST) + sep).value(kind, v).add(sep + pick(["Oslo", "Lyon", "Rome"]) + "\n")
    return d
def markdown(kind, key, values):
    d = Doc().add(f"| id | {key} | state |\n|----|------|-------|\n")
    for i, v in enumerate(values): d.add(f"| {i + 1} | ").value(kind, v).add(f" | {pick(['open','done'])} |\n")
    return d
def sql(kind, key, v): return Doc().add(f"INSERT INTO people (id, {key}, note) VALUES ({R.randint(1,99)}, '").value(kind, v).add("', 'ok');")

def js(kind, key, v):
    shape = R.randint(0, 4)
    if shape == 0: return {"id": R.randint(1, 999), "customer": {key: v, "active": True}}, f"/customer/{key}", v
    if shape == 1: return {"fields": [{"name": key, "value": v}, {"name": "color", "value": "red"}]}, "/fields/0/value", v
    if shape == 2: return {"content": [{"type": "text", "text": (t := f"{key}: {v}")}]}, "/content/0/text", t
    if shape == 3: return {"records": [{key: v}, {key: None}]}, f"/records/0/{key}", v
    inner = json.dumps({key: v}, ensure_ascii=False)
    return {"payload": inner}, "/payload", inner
def place(path, holder, kind, v):
    start = holder.encode().index(v.encode())
    return {"type": kind, "path": path, "start": start, "end": start + len(v.encode())}

def positives():
    for kind, make in ID.items():
        phrases, keys = LABEL[kind]
        for n in range(22):
            phrase, key, v = pick(phrases), pick(keys), make()
            case = n % 11
            if case < 3: d = prose(kind, v, phrase)
            elif case == 3: d = log(kind, v, key)
            elif case == 4: d = mail(kind, v, phrase)
            elif case == 5: d = pick([code, yaml])(kind, v, key)
            elif case == 6: d = csv(kind, key, [make() for _ in range(3)])
            elif case == 7: d = markdown(kind, key, [make() for _ in range(2)])
            elif case == 8 and kind not in ("IBAN",): d = sql(kind, key, v)
            else:
                value, path, holder = js(kind, key, v)
                emit(kind, value=value, spans=[place(path, holder, kind, v)])
                continue
            emit(kind, text=d.text(), spans=d.spans)
    for _ in range(25):
        v = phone_local()
        d = prose("PHONE", v, pick(["Tel", "Telefon", "mobile", "mon numéro de téléphone", "llámame al teléfono", "手机"]))
        emit("PHONE", text=d.text(), spans=d.spans)

def hide(v): return v[:3] + CUT + v[3:]
def secret_positives():
    for kind, make in SECRET.items():
        for n in range(8):
            v = make()
            d = [lambda: Doc().add("export TOKEN=").value(kind, v).add("\n"), lambda: Doc().add("Use ").value(kind, v).add(" for the deploy, please."), lambda: Doc().add('{"cfg": {"t": "').value(kind, v).add('"}}'),
                 lambda: Doc().add("curl -H 'X-Auth: ").value(kind, v).add("' https://api.example.org/v1\n"), lambda: Doc().add("const k = `").value(kind, v).add("`;\n")][n % 5]()
            emit(kind, text=d.text(), spans=d.spans)
    for kind, (name, make) in NAMED.items():
        for n in range(8):
            v = make()
            d = [lambda: Doc().add(f"{name}=").value(kind, v).add("\nDEBUG=true\n"), lambda: Doc().add(f"env:\n  {name}: \"").value(kind, v).add("\"\n"), lambda: Doc().add(f"{{\"{name.lower()}\": \"").value(kind, v).add("\"}")][n % 3]()
            emit(kind, text=d.text(), spans=d.spans)
    for n in range(8):
        body = "\n".join(rnd(B62 + "+/", 64) for _ in range(6))
        v = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
        emit("PRIVATE_KEY", text=f"key:\n{v}\n", spans=[{"type": "PRIVATE_KEY", "start": 5, "end": 5 + len(v)}])
        pw = rnd(B62, 12)
        d = Doc().add("DATABASE_URL=postgres://app:").value("URL_CREDENTIALS", pw).add("@db.internal:5432/orders")
        emit("URL_CREDENTIALS", text=d.text(), spans=d.spans)

WIDE = str.maketrans({c: chr(ord(c) + 0xFEE0) for c in map(chr, range(0x21, 0x7F))})
def zw(v): return "".join(c + (pick("\u200b\u200c\u2060\ufeff\u00ad") if R.random() < .35 else "") for c in v)
def other_digits(v, zero): return "".join(chr(zero + int(c)) if c in D else c for c in v)
EVASIONS = {
 "zero_width": lambda v: v[0] + "\u200b" + zw(v[1:]), "soft_hyphen": lambda v: v[:2] + "\u00ad" + v[2:5] + "\u00ad" + v[5:], "fullwidth": lambda v: v.translate(WIDE), "arabic_digits": lambda v: other_digits(v, 0x660), "devanagari_digits": lambda v: other_digits(v, 0x966),
 "math_digits": lambda v: other_digits(v, 0x1D7CE), "tags": lambda v: "".join(chr(0xE0000 + ord(c)) for c in v), "nbsp": lambda v: v.replace(" ", "\u00a0").replace("-", "\u2011"), "combining": lambda v: "".join(c + "\u0336" for c in v),
 "base64": lambda v: base64.b64encode(("value is " + v).encode()).decode(), "base64url": lambda v: base64.urlsafe_b64encode(("value: " + v).encode()).decode().rstrip("="), "double_base64": lambda v: base64.b64encode(base64.b64encode(("it is " + v).encode())).decode(),
 "hex": lambda v: v.encode().hex(), "percent": lambda v: "".join(f"%{ord(c):02X}" for c in v), "double_percent": lambda v: "".join(f"%25{ord(c):02X}" for c in v), "percent_light": lambda v: urllib.parse.quote(v, safe=""),
 "entities": lambda v: "".join(f"&#{ord(c)};" for c in v), "entities_hex": lambda v: "".join(f"&#x{ord(c):x};" for c in v), "unicode_escapes": lambda v: "".join(f"\\u{ord(c):04x}" for c in v), "hex_escapes": lambda v: "".join(f"\\x{ord(c):02x}" for c in v),
 "quoted_printable": lambda v: "".join(f"={ord(c):02X}" for c in v), "data_uri": lambda v: "data:text/plain;base64," + base64.b64encode(("id " + v).encode()).decode(),
 "spaced": lambda v: " ".join(c for c in v if c in D), "dotted": lambda v: ".".join(c for c in v if c in D), "underscored": lambda v: "_".join(c for c in v if c in D),
}
def evaded():
    strong = {"CREDIT_CARD": card, "EMAIL": email, "IBAN": iban, "US_SSN": ssn, "BR_CPF": ID["BR_CPF"], "UK_NINO": ID["UK_NINO"], "GITHUB_TOKEN": SECRET["GITHUB_TOKEN"], "AWS_ACCESS_KEY": SECRET["AWS_ACCESS_KEY"]}
    for name, twist in EVASIONS.items():
        for n in range(16):
            kind = pick(list(strong))
            if name in ("spaced", "dotted", "underscored"): kind = pick(["CREDIT_CARD"])
            if name.endswith("digits"): kind = pick(["CREDIT_CARD", "US_SSN", "IBAN"])
            if name in ("percent_light",): kind = "EMAIL"
            if name == "nbsp": kind = pick(["US_SSN", "CREDIT_CARD"])
            v = strong[kind]()
            phrase = LABEL[kind][0][0] if kind in LABEL else "token"
            shown = twist(v)
            if n % 2:
                t = f"{phrase}: {shown} ok"
                emit(kind, value={"note": t}, spans=[place("/note", t, kind, shown)], evasion=name)
            else:
                d = Doc().add(f"{fill()} {phrase}: ").value(kind, v, shown).add(" " + fill())
                emit(kind, text=d.text(), spans=d.spans, evasion=name)
    for n in range(16):
        kind = pick(["CREDIT_CARD", "EMAIL", "GITHUB_TOKEN", "IBAN"]); v = strong[kind]().replace(" ", "").replace("-", ""); c = len(v) // 2
        if n % 2: emit(kind, value={"parts": [v[:c], v[c:]]}, spans=[{"type": kind, "path": "/parts/0", "start": 0, "end": c}, {"type": kind, "path": "/parts/1", "start": 0, "end": len(v) - c}], evasion="split_array")
        else:
            a, b = "number: " + v[:c], v[c:] + " end"
            emit(kind, value={"content": [{"type": "text", "text": a}, {"type": "text", "text": b}]}, spans=[{"type": kind, "path": "/content/0/text", "start": 8, "end": len(a)}, {"type": kind, "path": "/content/1/text", "start": 0, "end": len(v) - c}], evasion="split_blocks")
    for n in range(12):
        v = int(luhn("4" + digits(14)))
        emit("CREDIT_CARD", value={"amount": 12, "ref": v}, spans=[{"type": "CREDIT_CARD", "path": "/ref", "start": 0, "end": 16}], evasion="number")if n % 2 else emit("CREDIT_CARD", value={"x": [1.5, v]}, spans=[{"type": "CREDIT_CARD", "path": "/x/1", "start": 0, "end": 16}], evasion="number")
        e = email()
        emit("EMAIL", value={"users": {e: {"role": "admin"}}}, spans=[{"type": "EMAIL", "path": f"/users/{e}", "start": 0, "end": len(e)}], evasion="key")
        inner = json.dumps({"q": json.dumps({"to": e})})
        emit("EMAIL", value={"body": inner}, spans=[place("/body", inner, "EMAIL", e)], evasion="nested_json")
        f, l = ascii_(pick(FIRST)), ascii_(pick(LAST)); o = pick([f"{f}.{l} [at] example [dot] org", f"{f}.{l}(at)example.org", f"{f} at example dot com"])
        d = Doc().add("write ").value("EMAIL", o).add(" today"); emit("EMAIL", text=d.text(), spans=d.spans, evasion="spelled_out")

def negatives():
    H = "0123456789abcdef"
    word = lambda: pick("alpha bravo cache delta engine fabric gamma header index job kernel label matrix node object parser queue router server token update vector worker yield zone".split())
    sha = lambda n=40: rnd(H, n)
    uuid = lambda: "-".join(rnd(H, n) for n in (8, 4, 4, 4, 12))
    def isbn():
        b = "978" + digits(9); s = sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(b)); return b + str(-s % 10)
    kinds = [
     lambda: "\n".join(f"{i + 1} {digits(9)}" for i in range(6)), lambda: "ids: " + ", ".join("1" + digits(9) for _ in range(5)), lambda: f"commit {sha()}\nAuthor: bot\n\n    {word()} {word()}\n\n{sha(7)} {word()}\n{sha(7)} {word()}",
     lambda: f"Order {digits(8)} shipped, tracking number 1Z{rnd(U + D, 16)}.", lambda: f"version 10.{R.randint(0,30)}.{R.randint(0,9)}.{R.randint(0,9)} replaces {R.randint(1,9)}.{R.randint(0,30)}.{R.randint(0,9)}", lambda: f"Tweet 1{digits(18)} from channel {digits(18)}",
     lambda: f"epoch {1700000000 + R.randint(0, 99999999)} and {1700000000000 + R.randint(0, 9999999999)} ms", lambda: f"ISBN {isbn()} and EAN {digits(13)}", lambda: f"session {uuid()} request {uuid()}", lambda: f"name = \"{word()}\"\nversion = \"{R.randint(0,9)}.{R.randint(0,30)}.{R.randint(0,9)}\"\nchecksum = \"{sha(64)}\"",
     lambda: f"\"{word()}@^{R.randint(1,20)}.{R.randint(0,9)}.0\": resolved https://registry.example.org/{word()}-{R.randint(1,9)}.0.0.tgz#{sha()} integrity sha512-{rnd(B62 + '+/', 86)}==", lambda: f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{R.randint(90,130)}.0.{R.randint(1000,9999)}.{R.randint(10,200)} Safari/537.36",
     lambda: f"fn {word()}_{word()}(n: u64) -> u64 {{ n.wrapping_mul({digits(10)}) ^ 0x{sha(16)} }}", lambda: f"uuid={uuid()} size={digits(7)} took={digits(3)}ms port={R.randint(1000,65000)}", lambda: f"Section {R.randint(1,9)}.{R.randint(1,9)}.{R.randint(1,9)}.{R.randint(1,9)} describes OID 1.3.6.1.4.1.{digits(4)}.{R.randint(1,9)}",
     lambda: f"2026-01-{R.randint(10,28)} 1{R.randint(0,9)}:{R.randint(10,59)}:{R.randint(10,59)},{digits(3)} DEBUG [{word()}-{R.randint(1,9)}] {word()} {digits(9)} processed in {digits(4)} us", lambda: f"user@localhost git@github.com:org/{word()}.git react@18.2.0 icon@2x.png", lambda: f"password: ${{DB_PASSWORD}}\napi_key: YOUR_API_KEY\ntoken: <token>\nsecret: changeme",
     lambda: f"lat,lon\n{R.randint(-80,80)}.{digits(6)},{R.randint(-170,170)}.{digits(6)}\n", lambda: f"listening on 127.0.0.1:{R.randint(1000,9000)} and 0.0.0.0, upstream 10.0.{R.randint(0,9)}.{R.randint(1,99)}", lambda: f"SKU {rnd(U,3)}-{digits(6)}-{rnd(U,2)} lot {digits(8)} qty {digits(3)}", lambda: " ".join(fill() for _ in range(5)),
     lambda: f"Invoice {digits(10)} of 2026-0{R.randint(1,9)}-11, total 1,{digits(3)}.{digits(2)} EUR, due in 30 days", lambda: f"ticket #{digits(9)} case number {digits(10)} closed", lambda: f"max_tokens=4096 nextCursor=\"{base64.b64encode(R.randbytes(24)).decode()}\" progressToken={digits(9)}", lambda: f"-----BEGIN PUBLIC KEY-----\n{rnd(B62 + '+/', 64)}\n-----END PUBLIC KEY-----",
    ]
    jsons = [
     lambda: {"items": [{"id": int("1" + digits(9)), "count": int("1" + digits(9)), "sku": digits(8)} for _ in range(4)]}, lambda: {"snowflake": "1" + digits(17), "createdAt": "2026-03-04T05:06:07Z", "version": f"10.2.{R.randint(0,9)}.{R.randint(0,9)}"}, lambda: {"order_number": digits(10), "tracking": "1Z" + rnd(U + D, 16), "total": 129.95},
     lambda: {"sha": sha(), "tree": sha(), "parents": [sha()], "etag": sha(32)}, lambda: {"type": "object", "properties": {"password": {"type": "string"}, "ssn": {"type": "string", "description": "the number"}, "max_tokens": {"type": "integer"}}}, lambda: {"nextCursor": base64.urlsafe_b64encode(R.randbytes(30)).decode(), "tools": [{"name": word(), "description": fill()}]},
     lambda: {"ts": 1700000000000 + R.randint(0, 10**10), "us": 1700000000000000 + R.randint(0, 10**12), "values": [R.random() * 1000 for _ in range(5)]}, lambda: {"build": f"{R.randint(1,9)}.{R.randint(1,99)}.{R.randint(1,99)}.{R.randint(1,99)}", "commit": sha(12), "runId": int(digits(10).replace("0", "1"))},
     lambda: {"population": int("8" + digits(8)), "area": float(digits(5)), "isbn": isbn(), "ean": digits(13)}, lambda: {"uuid": uuid(), "trace_id": sha(32), "span_id": sha(16), "parts": [word(), word(), word()]},
    ]
    for n in range(900):
        if n % 3: emit("negative", text=pick(kinds)())
        else: emit("negative", value=pick(jsons)())

positives(); secret_positives(); evaded(); negatives()
def hidden(x, secret):
    """Cuts every long word of letters and digits, so that no credential stands in the file."""
    if isinstance(x, str):
        import re
        return re.sub(r"(?=[A-Za-z0-9_.\-]{18})[A-Za-z0-9_\-]{3}", lambda m: m.group(0) + CUT, x) if secret else x
    if isinstance(x, list): return [hidden(y, secret) for y in x]
    if isinstance(x, dict): return {hidden(k, secret): hidden(y, secret) for k, y in x.items()}
    return x
for d in docs:
    kind = d["id"].rsplit("-", 1)[0]
    secret = kind in SECRET or kind in NAMED or kind in ("PRIVATE_KEY", "URL_CREDENTIALS")
    for member in ("text", "json"):
        if member in d: d[member] = hidden(d[member], secret)
    print(json.dumps(d, ensure_ascii=False))
