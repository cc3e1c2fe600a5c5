#!/usr/bin/env python3
"""Makes probes.jsonl: documents by someone who had not read the rules, in the forms that people and programs write.

    pip install python-stdnum==2.2 base58 && python3 tests/corpus/probes.py > tests/corpus/probes.jsonl

Each type has labels of its own in several languages and goes through prose, JSON, tables, logs and code; then come
disguises, and clean documents. Spans are byte offsets without the `¦` that keeps credentials out of the file.
"""
import base64, gzip, importlib, json, random, re, string, sys, unicodedata, urllib.parse, uuid, zlib
R = random.Random(77)
D, U, L = string.digits, string.ascii_uppercase, string.ascii_lowercase
B62 = D+U+L; HEX='0123456789abcdef'
def rnd(a,n): return "".join(R.choice(a) for _ in range(n))
def dg(n): return rnd(D,n)
def until(mod, make):
    c = importlib.import_module("stdnum."+mod)
    for _ in range(3000000):
        v = make()
        try:
            if c.is_valid(v): return v
        except Exception: pass
    raise SystemExit(mod)
def luhn(b):
    for d in D:
        s=0
        for i,c in enumerate(reversed(b+d)):
            n=int(c)
            if i%2: n=n*2-9 if n>4 else n*2
            s+=n
        if s%10==0: return b+d
def ymd2(): return f"{R.randint(45,99):02d}{R.randint(1,12):02d}{R.randint(1,28):02d}"
def dmy2(): s=ymd2(); return s[4:]+s[2:4]+s[:2]
def ymd4(): return f"{R.randint(1945,2004)}{R.randint(1,12):02d}{R.randint(1,28):02d}"
def card(kind=None):
    k=kind or R.choice("vmaudj2n")
    v={"v":lambda:luhn("4"+dg(14)),"m":lambda:luhn("5"+R.choice("12345")+dg(13)),"a":lambda:luhn("3"+R.choice("47")+dg(12)),"u":lambda:luhn("62"+dg(13)),"d":lambda:luhn("6011"+dg(11)),"j":lambda:luhn("3530"+dg(11)),"2":lambda:luhn("2"+str(R.randint(230,709))+dg(11)),"n":lambda:luhn("36"+dg(11))}[k]()
    return v
def cardf():
    v=card()
    if len(v)==15: return R.choice([v,f"{v[:4]} {v[4:10]} {v[10:]}",f"{v[:4]}-{v[4:10]}-{v[10:]}"])
    if len(v)==14: return R.choice([v,f"{v[:4]} {v[4:10]} {v[10:]}"])
    return R.choice([v," ".join(v[i:i+4] for i in range(0,16,4)),"-".join(v[i:i+4] for i in range(0,16,4))])
IB=dict(DE="18n",NL="4a10n",FR="23n",ES="20n",GB="4a14n",PL="24n",CH="17n",BE="12n",AT="16n",IT="1a22n",SE="20n",NO="11n",DK="14n",FI="14n",PT="21n",IE="4a14n",CZ="20n",RO="4a16n",HR="17n",GR="23n",TR="22n",SA="20n",AE="19n",LU="16n",HU="24n",BG="4a14n",LT="16n",LV="4a13n",EE="16n",MT="4a23n",SK="20n",SI="15n",CY="24n",IS="22n",LI="17n",IL="19n",BR="23n1a1n",KZ="16n",QA="4a21n",PK="4a16n",UA="25n",MC="23n",GE="2a16n")
def iban(c=None):
    c=c or R.choice(list(IB)); b="".join(rnd(U if k=="a" else D,int(n)) for n,k in re.findall(r"(\d+)([an])",IB[c]))
    num="".join(str(int(x,36)) for x in b+c+"00")
    v=c+f"{98-int(num)%97:02d}"+b
    return v
def ibanf():
    v=iban(); return R.choice([v," ".join(v[i:i+4] for i in range(0,len(v),4)),v.lower() if R.random()<.15 else v])
FN="James Mary Oluwaseun Chiara Łukasz Søren Anaïs Björn Zeynep Priya Kwame Ingrid Mateusz Aoife Renée Iñigo Thành Nuria Hans-Peter Magdalena Svetlana Giovanni Dimitra Youssef Marit Tomáš Katarzyna Emre Fatima Joaquín".split()
LN="Smith O'Connor Nguyen Müller Kowalczyk Østergaard Lefèvre Ferrari Yılmaz Patel Mensah Johansson Papadopoulos Horváth Novák García-Márquez Silva Ionescu Virtanen Hansen El-Amin Van-der-Berg Okonkwo Schneider Dubois Rossi Tanaka Kim Wong Ivanova".split()
def asc(s): return "".join(c for c in unicodedata.normalize("NFD",s.replace("ø","o").replace("Ø","O").replace("ł","l").replace("Ł","L").replace("ı","i")) if c.isascii() and (c.isalnum()))
def email():
    f,l=asc(R.choice(FN)).lower(),asc(R.choice(LN)).lower()
    dom=R.choice(["gmail.com","outlook.com","yahoo.co.uk","acme-corp.io","example.org","mail.ru","web.de","orange.fr","uol.com.br","university.edu","dept.gov.au","1and1.de","nhs.uk","company.museum","foo.technology","proton.me","t-online.de","libero.it","wp.pl","qq.com","company.co.jp"])
    return R.choice([f"{f}.{l}@{dom}",f"{f[0]}{l}@{dom}",f"{f}_{l}{dg(2)}@{dom}",f"{f}+newsletter@{dom}",f"{l}@{dom}",f"{f.capitalize()}.{l.capitalize()}@{dom}",f"{f}-{l}@sub.{dom}",f"{f}%{l}@{dom}" if R.random()<.1 else f"{f}{dg(4)}@{dom}"])
def phone():
    return R.choice([lambda:f"+1 {R.choice(['415','212','303','617','206'])} {R.randint(200,999)} {dg(4)}",lambda:f"+1-{R.choice(['415','212','303'])}-{R.randint(200,999)}-{dg(4)}",lambda:f"(415) {R.randint(200,999)}-{dg(4)}",lambda:f"212-{R.randint(200,999)}-{dg(4)}",lambda:f"303.{R.randint(200,999)}.{dg(4)}",
     lambda:f"+49 {R.choice(['30','89','151','171'])} {dg(7)}",lambda:f"+44 20 {R.choice('78')}{dg(3)} {dg(4)}",lambda:f"+44 7{dg(3)} {dg(6)}",lambda:f"+447{dg(9)}",lambda:f"+33 6 {dg(2)} {dg(2)} {dg(2)} {dg(2)}",lambda:f"+33 (0)6 {dg(2)} {dg(2)} {dg(2)} {dg(2)}",lambda:f"+34 6{dg(2)} {dg(3)} {dg(3)}",lambda:f"+39 3{dg(2)} {dg(7)}",lambda:f"+31 6 {dg(8)}",lambda:f"+48 {R.randint(500,799)} {dg(3)} {dg(3)}",lambda:f"+55 11 9{dg(4)}-{dg(4)}",lambda:f"+91 {R.choice('6789')}{dg(4)} {dg(5)}",lambda:f"+86 13{dg(1)} {dg(4)} {dg(4)}",lambda:f"+81-90-{dg(4)}-{dg(4)}",lambda:f"+61 4{dg(2)} {dg(3)} {dg(3)}",lambda:f"+46 70 {dg(3)} {dg(2)} {dg(2)}",lambda:f"+47 9{dg(2)} {dg(2)} {dg(3)}",lambda:f"+358 40 {dg(7)}",lambda:f"+353 87 {dg(3)} {dg(4)}",lambda:f"+90 53{dg(1)} {dg(3)} {dg(2)} {dg(2)}",lambda:f"+7 9{dg(2)} {dg(3)}-{dg(2)}-{dg(2)}",lambda:f"+82 10-{dg(4)}-{dg(4)}",lambda:f"+972 5{dg(1)}-{dg(7)}",lambda:f"+65 9{dg(3)} {dg(4)}",lambda:f"+27 82 {dg(3)} {dg(4)}",lambda:f"0049 171 {dg(7)}",lambda:f"+1{R.choice(['415','212','303'])}{R.randint(200,999)}{dg(4)}",lambda:f"+52 55 {dg(4)} {dg(4)}",lambda:f"+41 79 {dg(3)} {dg(2)} {dg(2)}",lambda:f"+43 664 {dg(7)}",lambda:f"+32 47{dg(1)} {dg(2)} {dg(2)} {dg(2)}",lambda:f"+351 91{dg(1)} {dg(3)} {dg(3)}",lambda:f"+420 60{dg(1)} {dg(3)} {dg(3)}",lambda:f"+971 50 {dg(3)} {dg(4)}",lambda:f"+234 803 {dg(3)} {dg(4)}",lambda:f"+254 7{dg(2)} {dg(6)}"])()
def phone_nat():  # (value, labels)
    return R.choice([
     lambda:(f"0{R.choice(['30','89','171','40'])} {dg(7)}",["Telefon","Tel.","Handy","Mobil","Rufnummer"]),
     lambda:(f"0171/{dg(7)}",["Tel","Handynummer"]),
     lambda:(f"06 {dg(2)} {dg(2)} {dg(2)} {dg(2)}",["Téléphone","Tél.","portable","mobile"]),
     lambda:(f"020 7{dg(3)} {dg(4)}",["Phone","Tel","call me on","Telephone"]),
     lambda:(f"07{dg(3)} {dg(6)}",["mobile","Mobile number","cell"]),
     lambda:(f"6{dg(2)} {dg(3)} {dg(3)}",["Teléfono","Móvil","tlf"]),
     lambda:(f"3{dg(2)} {dg(7)}",["Telefono","cellulare","Cell."]),
     lambda:(f"(11) 9{dg(4)}-{dg(4)}",["Telefone","Celular","WhatsApp"]),
     lambda:(f"0{R.choice('6')}-{dg(8)}",["Telefoon","mobiel","telefoonnummer"]),
     lambda:(f"{R.randint(500,799)}-{dg(3)}-{dg(3)}",["Telefon","nr telefonu","komórka"]),
     lambda:(f"070-{dg(3)} {dg(2)} {dg(2)}",["Telefon","Mobil","telefonnummer"]),
     lambda:(f"13{dg(9)}",["手机","电话","手机号","联系电话"]),
     lambda:(f"090-{dg(4)}-{dg(4)}",["電話","携帯電話","電話番号"]),
     lambda:(f"010-{dg(4)}-{dg(4)}",["전화번호","휴대폰","연락처"]),
     lambda:(f"8 (9{dg(2)}) {dg(3)}-{dg(2)}-{dg(2)}",["Телефон","тел.","моб."]),
     lambda:(f"05{R.choice('345')}{dg(1)} {dg(3)} {dg(2)} {dg(2)}",["Telefon","Cep","GSM"]),
     lambda:(f"{R.choice('6789')}{dg(9)}",["Mobile No","phone","contact number","मोबाइल","मोबाइल नंबर"]),
     lambda:(f"0412 {dg(3)} {dg(3)}",["Mobile","Phone"]),
     lambda:(f"{R.choice(['415','212','303'])}{R.randint(200,999)}{dg(4)}",["phone","phone number","cell phone","fax","telephone"]),
     lambda:(f"555-{R.randint(200,999)}-{dg(4)}" if False else f"617 {R.randint(200,999)} {dg(4)}",["phone","Call","ph"]),
    ])()
def ip4():
    while True:
        a=R.choice([203,198,91,185,8,52,13,104,172,77,151]); 
        v=f"{a}.{R.randint(32,254) if a==172 else R.randint(0,254)}.{R.randint(0,254)}.{R.randint(1,254)}"
        return v
def ip6():
    return R.choice([f"2001:db8:{rnd(HEX,4)}:{rnd(HEX,4)}::{rnd(HEX,2)}1",f"2a02:{rnd(HEX,4)}:{rnd(HEX,4)}:{rnd(HEX,4)}:{rnd(HEX,4)}:{rnd(HEX,4)}:{rnd(HEX,4)}:{rnd(HEX,4)}",f"2606:4700:4700::1{rnd(HEX,3)}",f"2607:f8b0:4005:805::{rnd(HEX,3)}e"])
def mac(): 
    x=[rnd(HEX,2) for _ in range(6)]; x[0]=R.choice("048c")+R.choice("048c")
    return R.choice([":".join(x),"-".join(x).upper(),".".join(["".join(x[i:i+2]) for i in (0,2,4)])])
def btc():
    import base58
    return base58.b58encode_check(bytes([R.choice([0,5])])+R.randbytes(20)).decode()
def bech():
    CH="qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    def pm(v):
        c=1
        for x in v:
            b=c>>25; c=(c&0x1ffffff)<<5^x
            for i,g in enumerate([0x3b6a57b2,0x26508e6d,0x1ea119fa,0x3d4233dd,0x2a1462b3]): c^=g if (b>>i)&1 else 0
        return c
    tap=R.random()<.4; n=52 if tap else 32
    data=[1 if tap else 0]+[R.randrange(32) for _ in range(n-1)]+[0 if not tap else R.choice([0,16])]
    if not tap: data[-1]=R.randrange(32)
    hrp=[ord(c)>>5 for c in "bc"]+[0]+[ord(c)&31 for c in "bc"]
    p=pm(hrp+data+[0]*6)^(0x2bc830a3 if tap else 1)
    return "bc1"+"".join(CH[d] for d in data+[(p>>5*(5-i))&31 for i in range(6)])
def eth(): return "0x"+rnd(HEX,40)
def ssn():
    while True:
        a=R.randint(1,899)
        if a!=666: return f"{a:03d}-{R.randint(1,99):02d}-{R.randint(1,9999):04d}"
def vin():
    A="ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
    tr=dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ",[1,2,3,4,5,6,7,8,1,2,3,4,5,7,9,2,3,4,5,6,7,8,9])); w=[8,7,6,5,4,3,2,10,0,9,8,7,6,5,4,3,2]
    v=list(R.choice(["1HG","1FT","WBA","JTD","5YJ","2C3","KMH","3VW"])+rnd(A,8)+R.choice("ABCDEFGHJKLMNPRSTVWXY123456789")+rnd(A,1)+dg(5)); v=v[:17]
    v=v[:11]+[R.choice("ABCDEFGH")]+list(dg(5))
    s=sum((int(c) if c.isdigit() else tr[c])*w[i] for i,c in enumerate(v) if i!=8)%11
    v[8]="X" if s==10 else str(s); return "".join(v)
def dea():
    p=R.choice("ABFM")+R.choice(U); d=[R.randrange(10) for _ in range(6)]
    return p+"".join(map(str,d))+str((d[0]+d[2]+d[4]+2*(d[1]+d[3]+d[5]))%10)
def mbi():
    A="ACDEFGHJKMNPQRTUVWXY"; an=A+D
    v=R.choice("123456789")+R.choice(A)+R.choice(an)+dg(1)+R.choice(A)+R.choice(an)+dg(1)+R.choice(A)+R.choice(A)+dg(2)
    return R.choice([v,f"{v[:4]}-{v[4:7]}-{v[7:]}"])
def nino():
    while True:
        p=R.choice("ABCEGHJKLMNOPRSTWXYZ")+R.choice("ABCEGHJKLMNPRSTWXYZ")
        if p not in("BG","GB","KN","NK","NT","TN","ZZ"): break
    d=dg(6); s=R.choice("ABCD"); return R.choice([p+d+s,f"{p} {d[:2]} {d[2:4]} {d[4:]} {s}"])
def sg():
    p=R.choice("STFG"); d=dg(7); w=[2,7,6,5,4,3,2]; s=sum(int(a)*b for a,b in zip(d,w))+(4 if p in"TG" else 0)
    return p+d+("JZIHGFEDCBA" if p in "ST" else "XWUTRQPNMLK")[s%11]
def fmt(v,*parts):
    return v
def DOB():
    y,m,d=R.randint(1945,2004),R.randint(1,12),R.randint(1,28)
    mon="January February March April May June July August September October November December".split()[m-1]
    return R.choice([f"{y}-{m:02d}-{d:02d}",f"{d:02d}/{m:02d}/{y}",f"{m}/{d}/{y}",f"{d}.{m}.{y}",f"{d} {mon} {y}",f"{mon} {d}, {y}",f"{d:02d}-{mon[:3]}-{y}",f"{y}/{m:02d}/{d:02d}",f"{y}{m:02d}{d:02d}" if False else f"{d:02d}.{m:02d}.{y}"])
u=until
# type -> (gen, labels, strong)
T={
"EMAIL":(email,["email","E-Mail","contact","from","reply to","Correo electrónico","courriel","user","login","メール"],1),
"CREDIT_CARD":(cardf,["card","card number","credit card","PAN","Kreditkarte","tarjeta","carte bancaire","cc","kartnummer","カード番号","payment method"],1),
"IBAN":(ibanf,["IBAN","account","Konto","bank account","Kontonummer","compte","rekening","beneficiary"],1),
"SWIFT_BIC":(lambda:R.choice(["DEUTDEFF","BNPAFRPPXXX","CHASUS33","HSBCGB2L","INGBNL2A","UBSWCHZH80A","BSCHESMM","UNCRITMM","BARCGB22","COBADEFFXXX","NDEASESS","SBININBB104"]),["BIC","SWIFT","SWIFT code","BIC/SWIFT","swift_code","Swift-Code","bic"],0),
"ABA_ROUTING":(lambda:R.choice(["021000021","011401533","026009593","121000248","322271627","111000025","071000013","122105155","091000019","031101279"]),["routing number","ABA","routing","aba_routing","RTN","routing no.","ABA routing #"],0),
"US_BANK_ACCOUNT":(lambda:dg(R.randint(9,12)),["account number","bank account","acct","acct no","checking account","account_number","Account #","savings account number"],0),
"UK_SORT_CODE":(lambda:f"{R.randint(10,99)}-{dg(2)}-{dg(2)}",["sort code","Sort Code","sort_code","sortcode"],0),
"IP_ADDRESS":(lambda:R.choice([ip4,ip4,ip6])(),["ip","client","remote_addr","from","host","src","Adresse IP","IP-Adresse"],1),
"MAC_ADDRESS":(mac,["mac","hwaddr","device","ether","MAC-Adresse"],1),
"CRYPTO_ADDRESS":(lambda:R.choice([btc,bech,eth])(),["wallet","send to","btc","address","deposit","payout"],1),
"US_SSN":(ssn,["SSN","social security number","social","Social Security","ssn","tax id"],1),
"US_ITIN":(lambda:f"9{dg(2)}-{R.choice([70,75,88,91,95,55])}-{dg(4)}",["ITIN","itin","taxpayer id","individual taxpayer identification number"],0),
"US_EIN":(lambda:f"{R.choice(['12','20','26','35','47','82','94','61'])}-{dg(7)}",["EIN","Employer ID","employer identification number","FEIN","federal tax id"],0),
"US_NPI":(lambda:luhn("80840"+R.choice("12")+dg(8))[5:],["NPI","npi","provider NPI","National Provider Identifier"],0),
"US_MBI":(mbi,["MBI","Medicare","medicare number","Medicare beneficiary identifier","mbi"],0),
"US_DEA":(dea,["DEA","DEA number","dea_number","DEA #","DEA registration"],0),
"PASSPORT":(lambda:R.choice([dg(9),rnd(U,1)+dg(8),rnd(U,2)+dg(7),"C"+rnd("CFGHJKLMNPRTVWXYZ0123456789",8)]),["passport","passport number","passport no","Passport #","Reisepass","passeport","pasaporte","passaporto","护照","旅券番号","Reisepassnummer","numéro de passeport"],0),
"DRIVERS_LICENSE":(lambda:R.choice([rnd(U,1)+dg(7),dg(8),rnd(U,1)+dg(12),"D"+dg(7)]),["driver's license","driver license number","DL","driving licence","Führerschein","permis de conduire","drivers_license","license number","DL#"],0),
"MEDICAL_RECORD_NUMBER":(lambda:R.choice([dg(8),dg(7),"MRN"+dg(6) if False else dg(6)]),["MRN","medical record number","patient id","mrn","medical record","chart number","patient number"],0),
"HEALTH_MEMBER_ID":(lambda:R.choice([rnd(U,3)+dg(9),"W"+dg(9),dg(10)]),["member id","Member ID","subscriber id","insurance id","policy member number","health plan member id"],0),
"UK_NHS":(lambda:(lambda v:R.choice([v,f"{v[:3]} {v[3:6]} {v[6:]}",f"{v[:3]}-{v[3:6]}-{v[6:]}"]))(u("gb.nhs",lambda:dg(10))),["NHS number","NHS","nhs_number","NHS no","patient NHS"],0),
"UK_NINO":(nino,["NI number","National Insurance","NINO","nino","national insurance number"],1),
"UK_UTR":(lambda:u("gb.utr",lambda:dg(10)),["UTR","unique taxpayer reference","utr","tax reference"],0),
"CA_SIN":(lambda:(lambda v:R.choice([v,f"{v[:3]} {v[3:6]} {v[6:]}",f"{v[:3]}-{v[3:6]}-{v[6:]}"]))(u("ca.sin",lambda:R.choice("1234567")+dg(8))),["SIN","social insurance number","sin","NAS","numéro d'assurance sociale"],0),
"AU_TFN":(lambda:(lambda v:R.choice([v,f"{v[:3]} {v[3:6]} {v[6:]}"]))(u("au.tfn",lambda:dg(9))),["TFN","tax file number","tfn"],0),
"AU_MEDICARE":(lambda:(lambda b:b+str(sum(int(x)*w for x,w in zip(b,(1,3,7,9,1,3,7,9)))%10)+R.choice("123"))(R.choice("23456")+dg(7)),["Medicare","medicare number","Medicare card"],0),
"AU_ABN":(lambda:(lambda v:R.choice([v,f"{v[:2]} {v[2:5]} {v[5:8]} {v[8:]}"]))(u("au.abn",lambda:dg(11))),["ABN","Australian Business Number","abn"],0),
"IN_AADHAAR":(lambda:(lambda v:R.choice([v,f"{v[:4]} {v[4:8]} {v[8:]}",f"{v[:4]}-{v[4:8]}-{v[8:]}"]))(u("in_.aadhaar",lambda:R.choice("23456789")+dg(11))),["Aadhaar","Aadhaar number","aadhaar_no","UID","आधार","आधार संख्या","Aadhar"],0),
"IN_PAN":(lambda:rnd(U,3)+R.choice("PCHF")+R.choice(U)+str(R.randint(1000,9999))+R.choice(U),["PAN","PAN card","pan_number","permanent account number"],1),
"IN_GSTIN":(lambda:u("in_.gstin",lambda:f"{R.choice(['27','29','07','33','24'])}{rnd(U,3)}{R.choice('PCHF')}{R.choice(U)}{R.randint(1000,9999)}{R.choice(U)}{R.choice('123')}Z{R.choice(D+U)}"),["GSTIN","GST","gst no"],1),
"BR_CPF":(lambda:(lambda v:R.choice([v,f"{v[:3]}.{v[3:6]}.{v[6:9]}-{v[9:]}",f"{v[:3]}.{v[3:6]}.{v[6:9]}-{v[9:]}"]))(u("br.cpf",lambda:dg(11))),["CPF","cpf","CPF do cliente","documento"],0),
"BR_CNPJ":(lambda:(lambda v:R.choice([v,f"{v[:2]}.{v[2:5]}.{v[5:8]}/{v[8:12]}-{v[12:]}"]))(u("br.cnpj",lambda:dg(8)+"0001"+dg(2))),["CNPJ","cnpj","CNPJ da empresa"],0),
"DE_STEUER_ID":(lambda:(lambda v:R.choice([v,f"{v[:2]} {v[2:5]} {v[5:8]} {v[8:]}"]))(u("de.idnr",lambda:dg(11))),["Steuer-ID","Steuerliche Identifikationsnummer","steuer_id","IdNr","Steueridentifikationsnummer","TIN","tax id"],0),
"DE_SVNR":(lambda:None,["Sozialversicherungsnummer","SV-Nummer","Rentenversicherungsnummer","RVNR","svnr"],1),
"AT_VNR":(lambda:(lambda v:R.choice([v,f"{v[:4]} {v[4:]}"]))(u("at.vnr",lambda:dg(4)+dmy2())),["SVNR","Versicherungsnummer","Sozialversicherungsnummer","SV-Nr"],0),
"CH_AHV":(lambda:(lambda v:R.choice([v,f"756.{v[3:7]}.{v[7:11]}.{v[11:]}"]))(u("ch.ssn",lambda:"756"+dg(10))),["AHV","AHV-Nummer","AVS","numéro AVS","ahv_nr","Sozialversicherungsnummer"],1),
"FR_NIR":(lambda:(lambda v:R.choice([v,f"{v[0]} {v[1:3]} {v[3:5]} {v[5:7]} {v[7:10]} {v[10:13]} {v[13:]}"]))((lambda b:b+f"{97-int(b)%97:02d}")(R.choice("12")+f"{R.randint(40,99)}{R.randint(1,12):02d}{R.randint(1,95):02d}{R.randint(1,900):03d}{R.randint(1,900):03d}")),["NIR","numéro de sécurité sociale","sécu","n° sécurité sociale","numero_secu"],1),
"ES_NIF":(lambda:(lambda n:f"{n:08d}"+R.choice(["","-"])+"TRWAGMYFPDXBNJZSQVHLCKE"[n%23])(R.randint(1000000,99999999)),["DNI","NIF","dni","documento nacional","NIF/DNI"],1),
"ES_NIE":(lambda:(lambda p,n:"XYZ"[p]+f"{n:07d}"+"TRWAGMYFPDXBNJZSQVHLCKE"[int(f"{p}{n:07d}")%23])(R.randrange(3),R.randint(0,9999999)),["NIE","nie","número de extranjero"],1),
"IT_CF":(lambda:u("it.codicefiscale",lambda:rnd("BCDFGLMNPRSTV",6)+f"{R.randint(40,99)}{R.choice('ABCDEHLMPRST')}{R.randint(1,28):02d}{R.choice('ABCDEFGHIL')}{R.randint(100,900)}{R.choice(U)}"),["codice fiscale","CF","C.F.","codice_fiscale","Codice Fiscale"],1),
"PT_NIF":(lambda:(lambda v:R.choice([v,f"{v[:3]} {v[3:6]} {v[6:]}"]))(u("pt.nif",lambda:R.choice("123")+dg(8))),["NIF","contribuinte","número de contribuinte","NIF do cliente"],0),
"BE_NN":(lambda:(lambda v:R.choice([v,f"{v[:2]}.{v[2:4]}.{v[4:6]}-{v[6:9]}.{v[9:]}"]))(u("be.nn",lambda:ymd2()+dg(5))),["rijksregisternummer","numéro national","registre national","NISS","INSZ","rijksregisternr"],0),
"NL_BSN":(lambda:u("nl.bsn",lambda:dg(9)),["BSN","burgerservicenummer","bsn","sofinummer"],0),
"PL_PESEL":(lambda:u("pl.pesel",lambda:ymd2()+dg(5)),["PESEL","pesel","nr PESEL","numer PESEL"],0),
"SE_PNR":(lambda:u("se.personnummer",lambda:R.choice([lambda:ymd2()+"-"+dg(4),lambda:"19"+ymd2()+"-"+dg(4)])()),["personnummer","personnr","Personnummer","pnr"],1),
"FI_HETU":(lambda:u("fi.hetu",lambda:dmy2()+"-"+f"{R.randint(2,899):03d}"+R.choice("0123456789ABCDEFHJKLMNPRSTUVWXY")),["henkilötunnus","hetu","HETU","henkilotunnus"],1),
"DK_CPR":(lambda:dmy2()+"-"+R.choice("01234")+dg(3),["CPR","CPR-nummer","cpr","personnummer","CPR-nr."],0),
"NO_FNR":(lambda:(lambda v:R.choice([v,f"{v[:6]} {v[6:]}"]))(u("no.fodselsnummer",lambda:dmy2()+dg(5))),["fødselsnummer","fnr","personnummer","fodselsnummer","Fødselsnr"],0),
"CZ_RC":(lambda:u("cz.rc",lambda:ymd2()+"/"+dg(4)),["rodné číslo","r.č.","RČ","rodne_cislo","rč"],0),
"RO_CNP":(lambda:u("ro.cnp",lambda:R.choice("12")+ymd2()+f"{R.randint(1,46):02d}"+dg(4)),["CNP","cod numeric personal","cnp"],0),
"HR_OIB":(lambda:u("hr.oib",lambda:dg(11)),["OIB","oib","osobni identifikacijski broj"],0),
"IE_PPS":(lambda:u("ie.pps",lambda:dg(7)+rnd("ABCDEFGHIJKLMNOPQRSTUVW",1)+R.choice(["","A"])),["PPS","PPS number","PPSN","pps no"],1),
"EE_IK":(lambda:u("ee.ik",lambda:R.choice("34")+ymd2()+dg(4)),["isikukood","IK","isikukood nr"],0),
"LT_AK":(lambda:u("lt.asmens",lambda:R.choice("34")+ymd2()+dg(4)),["asmens kodas","a.k.","asmens_kodas"],0),
"TR_TCKN":(lambda:u("tr.tckimlik",lambda:R.choice("123456789")+dg(10)),["TC Kimlik No","TCKN","T.C. kimlik","kimlik no","tc_kimlik"],0),
"IL_ID":(lambda:luhn(R.choice("0123")+dg(7)),["תעודת זהות","ת.ז.","teudat zehut","Israeli ID"],0),
"ZA_ID":(lambda:u("za.idnr",lambda:ymd2()+dg(4)+R.choice("01")+"8"+dg(1)),["ID number","SA ID","identity number","RSA ID","id_number"],0),
"SG_NRIC":(sg,["NRIC","nric","NRIC/FIN","FIN"],1),
"KR_RRN":(lambda:ymd2()+"-"+R.choice("12")+dg(6),["주민등록번호","RRN","resident registration number","주민번호"],1),
"TH_PIN":(lambda:(lambda v:R.choice([v,f"{v[0]}-{v[1:5]}-{v[5:10]}-{v[10:12]}-{v[12]}"]))(u("th.pin",lambda:R.choice("12345678")+dg(12))),["เลขบัตรประชาชน","เลขประจำตัวประชาชน","Thai ID","citizen id","national id"],0),
"CN_RIC":(lambda:u("cn.ric",lambda:R.choice(["110101","310104","440305","510107","330106"])+ymd4()+dg(3)+R.choice(D+"X")),["身份证号","身份证","身份证号码","公民身份号码","resident id","ID card"],1),
"JP_MY_NUMBER":(lambda:(lambda v:R.choice([v,f"{v[:4]} {v[4:8]} {v[8:]}",f"{v[:4]}-{v[4:8]}-{v[8:]}"]))(u("jp.cn",lambda:dg(13))[1:] if False else mynum()),["マイナンバー","個人番号","My Number","mynumber"],0),
"MY_NRIC":(lambda:ymd2()+"-"+R.choice(["01","06","10","14"])+"-"+dg(4),["MyKad","NRIC","No. KP","IC number","kad pengenalan"],0),
"MX_CURP":(lambda:u("mx.curp",lambda:rnd("BCDFGLMNPRS",1)+R.choice("AEIOU")+rnd("BCDFGLMNPRS",2)+ymd2()+R.choice("HM")+R.choice(["DF","JC","NL","MC","VZ"])+rnd("BCDFGLMNPRS",3)+R.choice(D)+dg(1)),["CURP","curp","clave única"],1),
"CL_RUT":(lambda:(lambda v:f"{v[:2]}.{v[2:5]}.{v[5:8]}-{v[8:]}" if R.random()<.7 else f"{v[:8]}-{v[8:]}")(u("cl.rut",lambda:R.choice(["1","2"])+dg(7)+R.choice(D+"K"))),["RUT","rut","RUN","R.U.T."],1),
"AR_CUIT":(lambda:(lambda v:R.choice([v,f"{v[:2]}-{v[2:10]}-{v[10:]}"]))(u("ar.cuit",lambda:R.choice(["20","27","23","30"])+dg(9))),["CUIT","CUIL","cuit","CUIT/CUIL"],0),
"CO_NIT":(lambda:(lambda v:f"{v[:3]}.{v[3:6]}.{v[6:9]}-{v[9:]}" if R.random()<.6 else f"{v[:9]}-{v[9]}")(u("co.nit",lambda:R.choice("89")+dg(9))),["NIT","nit","NIT empresa"],0),
"DATE_OF_BIRTH":(DOB,["DOB","date of birth","born","birthdate","Geburtsdatum","geboren am","né le","née le","date de naissance","fecha de nacimiento","nacida el","data di nascita","nato il","data de nascimento","födelsedatum","syntymäaika","geboortedatum","data urodzenia","生年月日","出生日期","дата рождения","d.o.b.","birthday","生日"],0),
"VIN":(vin,["VIN","vin","chassis number","Fahrgestellnummer","vehicle identification number"],1),
}
def mynum():
    while True:
        b=dg(11); q=[(n+1 if n<=6 else n-5) for n in range(1,12)]
        s=sum(int(b[11-n])*q[n-1] for n in range(1,12))%11
        return b+str(0 if s<=1 else 11-s)
def svnr():
    while True:
        b=R.choice(["12","13","15","65","52","24"])+dmy2()+R.choice(U)+f"{R.randint(0,99):02d}"
        s="".join(c if c.isdigit() else f"{ord(c)-64:02d}" for c in b); w=[2,1,2,5,7,1,2,1,2,1,2,1]
        t=0
        for d,x in zip(s,w):
            p=int(d)*x; t+=p//10+p%10
        v=b+str(t%10)
        return R.choice([v,f"{v[:2]} {v[2:8]} {v[8]} {v[9:]}"])
T["DE_SVNR"]=(svnr,T["DE_SVNR"][1],1)
def ghcrc(p,n=30):
    b=rnd(B62,n); c=zlib.crc32(b.encode()); s=""
    for _ in range(6): s="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[c%62]+s; c//=62
    return p+b+s
def b64u(s): return base64.urlsafe_b64encode(s.encode() if isinstance(s,str) else s).decode().rstrip("=")
def jwt(): return b64u('{"alg":"'+R.choice(["HS256","RS256","ES256"])+'","typ":"JWT"}')+"."+b64u('{"sub":"'+dg(10)+'","name":"x","iat":'+dg(10)+'}')+"."+b64u(R.randbytes(32))
B64=B62+"+/"; B64U=B62+"-_"
def pem(kind="RSA PRIVATE KEY",n=16): return f"-----BEGIN {kind}-----\n"+"\n".join(rnd(B64,64) for _ in range(n))+"\n"+rnd(B64,30)+"==\n"+f"-----END {kind}-----"
S={
"AWS_ACCESS_KEY":(lambda:R.choice(["AKIA","ASIA"])+rnd(U+"234567",16),["AWS_ACCESS_KEY_ID","aws_access_key_id","accessKeyId"],1),
"AWS_SECRET_ACCESS_KEY":(lambda:rnd(B64,40),["AWS_SECRET_ACCESS_KEY","aws_secret_access_key","secretAccessKey","aws_secret_key"],0),
"AWS_SESSION_TOKEN":(lambda:"IQoJb3JpZ2luX2Vj"+rnd(B64,280)+"==",["AWS_SESSION_TOKEN","sessionToken","aws_session_token"],1),
"GITHUB_TOKEN":(lambda:R.choice([lambda:ghcrc(R.choice(["ghp_","gho_","ghu_","ghs_","ghr_"])),lambda:"github_pat_"+rnd(B62,22)+"_"+rnd(B62,59)])(),["GITHUB_TOKEN","GH_TOKEN","token"],1),
"GITLAB_TOKEN":(lambda:R.choice(["glpat-","gldt-","glrt-","glsoat-"])+rnd(B64U,20),["GITLAB_TOKEN","CI_TOKEN"],1),
"SLACK_TOKEN":(lambda:R.choice([f"xoxb-{dg(12)}-{dg(13)}-{rnd(B62,24)}",f"xoxp-{dg(12)}-{dg(12)}-{dg(12)}-{rnd(HEX,32)}",f"xapp-1-A{rnd(U+D,10)}-{dg(13)}-{rnd(HEX,64)}"]),["SLACK_BOT_TOKEN","slack_token"],1),
"SLACK_WEBHOOK":(lambda:f"https://hooks.slack.com/services/T{rnd(U+D,8)}/B{rnd(U+D,10)}/{rnd(B62,24)}",["SLACK_WEBHOOK_URL","webhook"],1),
"STRIPE_KEY":(lambda:R.choice(["sk_live_","rk_live_","sk_test_"])+rnd(B62,R.choice([24,99])),["STRIPE_SECRET_KEY","stripe_key"],1),
"GOOGLE_API_KEY":(lambda:"AIza"+rnd(B64U,34)+R.choice(B62),["GOOGLE_API_KEY","maps_key","key"],1),
"OPENAI_KEY":(lambda:R.choice(["sk-"+rnd(B62,20)+"T3BlbkFJ"+rnd(B62,20),"sk-proj-"+rnd(B64U,74)+"T3BlbkFJ"+rnd(B64U,73)+R.choice(B62)]),["OPENAI_API_KEY","openai_key"],1),
"ANTHROPIC_KEY":(lambda:"sk-ant-api03-"+rnd(B64U,93)+"AA",["ANTHROPIC_API_KEY","claude_key"],1),
"HUGGINGFACE_TOKEN":(lambda:"hf_"+rnd(U+L,34),["HF_TOKEN","HUGGING_FACE_HUB_TOKEN"],1),
"GROQ_KEY":(lambda:"gsk_"+rnd(B62,52),["GROQ_API_KEY"],1),
"XAI_KEY":(lambda:"xai-"+rnd(B62,80),["XAI_API_KEY"],1),
"PERPLEXITY_KEY":(lambda:"pplx-"+rnd(B62,48),["PPLX_API_KEY"],1),
"REPLICATE_TOKEN":(lambda:"r8_"+rnd(B62,37),["REPLICATE_API_TOKEN"],1),
"COHERE_KEY":(lambda:rnd(B62,40),["COHERE_API_KEY","cohere_api_key"],0),
"MISTRAL_KEY":(lambda:rnd(B62,32),["MISTRAL_API_KEY"],0),
"TOGETHER_KEY":(lambda:rnd(HEX,64),["TOGETHER_API_KEY"],0),
"NPM_TOKEN":(lambda:ghcrc("npm_"),["NPM_TOKEN","_authToken"],1),
"PYPI_TOKEN":(lambda:"pypi-AgEIcHlwaS5vcmc"+rnd(B64U,150),["PYPI_TOKEN","TWINE_PASSWORD"],1),
"RUBYGEMS_KEY":(lambda:"rubygems_"+rnd(HEX,48),["GEM_HOST_API_KEY"],1),
"CRATES_IO_TOKEN":(lambda:"cio"+rnd(B62,32),["CARGO_REGISTRY_TOKEN"],1),
"NUGET_KEY":(lambda:"oy2"+rnd(L+"234567",43),["NUGET_API_KEY"],1),
"DOCKER_TOKEN":(lambda:"dckr_pat_"+rnd(B64U,27),["DOCKER_TOKEN","DOCKERHUB_PAT"],1),
"TWILIO_KEY":(lambda:"SK"+rnd(HEX,32),["TWILIO_API_KEY","TWILIO_KEY_SID"],1),
"TWILIO_AUTH_TOKEN":(lambda:rnd(HEX,32),["TWILIO_AUTH_TOKEN","twilio_auth_token"],0),
"SENDGRID_KEY":(lambda:"SG."+rnd(B64U,22)+"."+rnd(B64U,43),["SENDGRID_API_KEY"],1),
"MAILGUN_KEY":(lambda:"key-"+rnd(HEX,32),["MAILGUN_API_KEY"],1),
"MAILCHIMP_KEY":(lambda:rnd(HEX,32)+"-us"+R.choice(["1","6","14","21"]),["MAILCHIMP_API_KEY"],1),
"AZURE_STORAGE_KEY":(lambda:rnd(B64,85)+R.choice("AQgw")+"==",["AccountKey","AZURE_STORAGE_KEY"],0),
"AZURE_AD_CLIENT_SECRET":(lambda:rnd(B62,3)+dg(1)+"Q~"+rnd(B62+"_.~-",31),["AZURE_CLIENT_SECRET","client_secret"],1),
"AZURE_DEVOPS_TOKEN":(lambda:rnd(B62,76)+"AZDO"+rnd(B62,4),["AZURE_DEVOPS_EXT_PAT","SYSTEM_ACCESSTOKEN"],0),
"DIGITALOCEAN_TOKEN":(lambda:R.choice(["dop_v1_","doo_v1_","dor_v1_"])+rnd(HEX,64),["DIGITALOCEAN_TOKEN"],1),
"HEROKU_KEY":(lambda:"HRKU-AA"+rnd(B64U,58),["HEROKU_API_KEY"],1),
"CLOUDFLARE_KEY":(lambda:"v1.0-"+rnd(HEX,24)+"-"+rnd(HEX,146),["CLOUDFLARE_ORIGIN_CA"],1),
"CLOUDFLARE_TOKEN":(lambda:rnd(B64U,40),["CLOUDFLARE_API_TOKEN","CF_API_TOKEN"],0),
"DATADOG_KEY":(lambda:R.choice([rnd(HEX,32),rnd(HEX,40)]),["DD_API_KEY","DATADOG_API_KEY","DD_APP_KEY"],0),
"NEW_RELIC_KEY":(lambda:"NRAK-"+rnd(U+D,27),["NEW_RELIC_API_KEY"],1),
"SENTRY_TOKEN":(lambda:"sntryu_"+rnd(HEX,64),["SENTRY_AUTH_TOKEN"],1),
"GRAFANA_TOKEN":(lambda:"glsa_"+rnd(B62,32)+"_"+rnd(HEX,8),["GRAFANA_TOKEN"],1),
"VAULT_TOKEN":(lambda:"hvs."+rnd(B64U,R.choice([24,95])),["VAULT_TOKEN"],1),
"TERRAFORM_TOKEN":(lambda:rnd(B62,14)+".atlasv1."+rnd(B64U,64),["TFE_TOKEN","TF_API_TOKEN"],1),
"SHOPIFY_TOKEN":(lambda:R.choice(["shpat_","shpca_","shppa_","shpss_"])+rnd(HEX,32),["SHOPIFY_TOKEN"],1),
"SQUARE_TOKEN":(lambda:R.choice(["sq0atp-"+rnd(B64U,22),"sq0csp-"+rnd(B64U,43),"EAAA"+rnd(B64U,60)]),["SQUARE_ACCESS_TOKEN"],1),
"BRAINTREE_TOKEN":(lambda:"access_token$production$"+rnd(L+D,16)+"$"+rnd(HEX,32),["BRAINTREE_TOKEN"],1),
"DATABRICKS_TOKEN":(lambda:"dapi"+rnd(HEX,32),["DATABRICKS_TOKEN"],1),
"DOPPLER_TOKEN":(lambda:"dp.pt."+rnd(B62,43),["DOPPLER_TOKEN"],1),
"LINEAR_KEY":(lambda:"lin_api_"+rnd(B62,40),["LINEAR_API_KEY"],1),
"NOTION_TOKEN":(lambda:R.choice(["ntn_"+rnd(B62,46),"secret_"+rnd(B62,43)]),["NOTION_TOKEN"],1),
"FIGMA_TOKEN":(lambda:"figd_"+rnd(B64U,40),["FIGMA_TOKEN"],1),
"AIRTABLE_TOKEN":(lambda:"pat"+rnd(B62,14)+"."+rnd(HEX,64),["AIRTABLE_TOKEN"],1),
"ATLASSIAN_TOKEN":(lambda:"ATATT3xFfGF0"+rnd(B64U,172)+"="+rnd(D+"ABCDEF",8),["JIRA_API_TOKEN","ATLASSIAN_TOKEN"],1),
"DISCORD_BOT_TOKEN":(lambda:b64u(dg(18))+"."+rnd(B64U,6)+"."+rnd(B64U,38),["DISCORD_TOKEN"],1),
"DISCORD_WEBHOOK":(lambda:f"https://discord.com/api/webhooks/{dg(18)}/{rnd(B64U,68)}",["webhook_url"],1),
"TELEGRAM_TOKEN":(lambda:dg(10)+":AA"+rnd(B64U,33),["TELEGRAM_BOT_TOKEN","bot_token"],1),
"POSTMAN_KEY":(lambda:"PMAK-"+rnd(HEX,24)+"-"+rnd(HEX,34),["POSTMAN_API_KEY"],1),
"PULUMI_TOKEN":(lambda:"pul-"+rnd(HEX,40),["PULUMI_ACCESS_TOKEN"],1),
"SUPABASE_KEY":(lambda:"sbp_"+rnd(HEX,40),["SUPABASE_ACCESS_TOKEN"],1),
"PLANETSCALE_TOKEN":(lambda:"pscale_tkn_"+rnd(B64U,43),["PLANETSCALE_TOKEN"],1),
"OKTA_TOKEN":(lambda:"00"+rnd(B64U,40),["OKTA_API_TOKEN","OKTA_TOKEN"],0),
"TAILSCALE_KEY":(lambda:"tskey-auth-k"+rnd(B62,11)+"CNTRL-"+rnd(B62,32),["TS_AUTHKEY"],1),
"AGE_SECRET_KEY":(lambda:"AGE-SECRET-KEY-1"+rnd("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",58),["AGE_KEY"],1),
"ALIBABA_ACCESS_KEY":(lambda:"LTAI"+rnd(B62,20),["ALIBABA_CLOUD_ACCESS_KEY_ID"],1),
"TENCENT_SECRET_ID":(lambda:"AKID"+rnd(B62,32),["TENCENTCLOUD_SECRET_ID"],1),
"JWT":(jwt,["token","id_token","session","access_token"],1),
"PRIVATE_KEY":(lambda:pem(R.choice(["RSA PRIVATE KEY","PRIVATE KEY","EC PRIVATE KEY","OPENSSH PRIVATE KEY","ENCRYPTED PRIVATE KEY"])),["key","private_key","tls.key"],1),
"URL_CREDENTIALS":(lambda:None,[],1),
"PASSWORD":(lambda:R.choice(["Tr0ub4dor&3","hunter2!X9","P@ssw0rd2024!","correct-horse-42-battery","xK9#mQ2$vL","S3cr3t!Pa55","Winter2026!","qwErty_1987","zX8!kk02Lm"]),["password","PASSWORD","passwd","db_password","DB_PASS","Passwort","contraseña","mot de passe","userPassword","pwd","senha"],0),
"GENERIC_SECRET":(lambda:R.choice([rnd(B62,32),rnd(HEX,40),rnd(B64U,43)]),["API_KEY","apiKey","client_secret","SECRET_KEY","auth_token","signing_secret","x-api-key","encryption_key","access_token","webhook_secret"],0),
}

docs=[]
CUT="¦"
def mark(k,v):
    return f"«{k}|{CUT.join(v[i:i+3] for i in range(0,len(v),3)) if k in S else v}»"
MK=re.compile(r"«([A-Z_]+)\|(.*?)»",re.S)
def strip(t):
    out="";spans=[];pos=0
    size=lambda s: len(s.replace(CUT,"").encode())
    for m in MK.finditer(t):
        out+=t[pos:m.start()]; a=size(out); out+=m.group(2); spans.append({"type":m.group(1),"start":a,"end":size(out)}); pos=m.end()
    return out+t[pos:],spans
class Num:
    def __init__(s,k,v): s.k,s.v=k,v
def add(area,x,evasion=None,group=None):
    id=f"{area}-{len(docs)}"
    if isinstance(x,str):
        t,s=strip(x); d={"id":id,"text":t,"spans":s}
    else:
        spans=[]
        def w(v,p):
            if isinstance(v,str):
                t,s=strip(v)
                for q in s: spans.append({**q,"path":p})
                return t
            if isinstance(v,Num):
                spans.append({"type":v.k,"path":p,"start":0,"end":len(str(v.v))}); return v.v
            if isinstance(v,list): return [w(e,f"{p}/{i}") for i,e in enumerate(v)]
            if isinstance(v,dict):
                o={}
                for k,e in v.items():
                    t,s=strip(k); q=p+"/"+t.replace("~","~0").replace("/","~1")
                    for z in s: spans.append({**z,"path":q,"key":True})
                    o[t]=w(e,q)
                return o
            return v
        d={"id":id,"json":w(x,""),"spans":spans}
    if evasion: d["evasion"]=evasion
    docs.append(d)
pick=R.choice
FILL=["Thanks for the quick turnaround.","Le colis est parti hier soir.","Bitte bis Freitag zurückmelden.","请尽快处理，谢谢。","Vi ses på mandag kl 9.","El pedido llegó incompleto.","The build finished in 34s.","Спасибо за помощь.","よろしくお願いします。","Proszę o potwierdzenie.","Il cliente ha richiamato due volte.","Version 4.2.1 fixes the crash.","See ticket 48213 for details."]
def camel(l):
    if not l.isascii(): return ""
    p=re.split(r"[^A-Za-z]+",l); return p[0].lower()+"".join(x.capitalize() for x in p[1:])
def snake(l): return "_".join(x.lower() for x in re.split(r"[^A-Za-z]+",l) if x) if l.isascii() else ""
def prose(k,l,v):
    V=mark(k,v)
    return pick([
     f"{pick(FILL)} {l}: {V}. {pick(FILL)}", f"{l} is {V}", f"my {l} is {V}, please update it", f"{l} - {V}", f"{l}\t{V}\n", f"({l} {V})", f"{pick(FILL)}\n\n{l}:\n{V}\n\n{pick(FILL)}", f"* **{l}:** {V}\n* next", f"> {l}: {V}", f"The {l} on file, {V}, was verified.", f"<b>{l}</b>: {V}<br>", f"<tr><td>{l}</td><td>{V}</td></tr>", f"{l}={V}", f'"{l}": "{V}"', f"{l} : {V} ;", f"[{l}] {V}", f"{l} #{V}" if v[:1].isalnum() else f"{l} {V}", f"Customer said: '{l} {V}' on the call.", f"{l}……{V}", f"{l}：{V}", f"   {l:<22} {V}", f"{l} (verified): {V}", f"{l} → {V}", f"{l} number {V}" if l.isascii() and "num" not in l.lower() else f"{l} {V}"])
def table(k,l,vs):
    M=[mark(k,v) for v in vs]
    n=[pick(FN) for _ in vs]; c=[pick(["Oslo","Lyon","Madrid","Porto"]) for _ in vs]
    st=pick(range(6))
    if st==0: return f"id,{l},city\n"+"\n".join(f"{i+1},{m},{x}" for i,(m,x) in enumerate(zip(M,c)))
    if st==1: return f"| city | {l} | ok |\n|---|---|---|\n"+"\n".join(f"| {x} | {m} | yes |" for m,x in zip(M,c))
    if st==2: return f"{snake(l) or l};status\n"+"\n".join(f"{m};active" for m in M)
    if st==3: return f"city\t{l}\n"+"\n".join(f"{x}\t{m}" for m,x in zip(M,c))
    if st==4: return f"INSERT INTO people (id, {snake(l) or l}, city) VALUES\n"+",\n".join(f"({i}, '{m}', '{x}')" for i,(m,x) in enumerate(zip(M,c)))+";" if snake(l) else f"{l},a\n"+"\n".join(f"{m},1" for m in M)
    return f'"n","{l}"\n'+"\n".join(f'"{i}","{m}"' for i,m in enumerate(M))
def jdoc(k,l,v):
    V=mark(k,v); key=pick([snake(l),camel(l),l,l.upper(),snake(l)]) or l
    if not key.strip(): key=l
    x=pick([
     lambda:{"id":dg(5),key:V,"active":True},
     lambda:{"customer":{"profile":{key:V}},"total":12.5},
     lambda:{"data":[{key:V,"n":1},{"n":2}]},
     lambda:{"fields":[{"name":l,"value":V}]},
     lambda:{"columns":["city",key],"rows":[["Oslo",V]]},
     lambda:{"content":[{"type":"text","text":f"{l}: {V}"}]},
     lambda:{"content":[{"type":"text","text":json.dumps({key:"@@"}).replace("@@",V.replace('"','\\"').replace("\n","\\n"))}]},
     lambda:{key:{"value":V,"verified":False}},
     lambda:{key:[V]},
     lambda:{"label":l,"content":V},
     lambda:{"key":key,"value":V},
     lambda:{"message":f"updated {l} to {V}"},
    ])()
    if v.isdigit() and v[0]!="0" and R.random()<.25 and len(v)<18: x={"a":1,key:Num(k,int(v))}
    return x
def log(k,l,v):
    V=mark(k,v); s=snake(l) or l
    return pick([f"2024-03-{R.randint(10,28)}T10:22:{R.randint(10,59)}.123Z INFO  [worker-3] request_id={rnd(HEX,16)} {s}={V} status=200",
     f"[2023-11-02 14:03:11,482] WARN com.acme.Service - bad {l} '{V}' for order {dg(7)}",
     f"Mar 12 08:11:01 web1 app[2211]: {l} {V} rejected",
     f'{{"ts":"2024-01-02T03:04:05Z","level":"info","{s}":"{V}"}}',
     f"DEBUG {s}: {V}",f"level=info msg=\"lookup\" {s}=\"{V}\" dur=3ms"])
def code(k,l,v):
    V=mark(k,v); s=snake(l) or l
    if not s: s=l
    return pick([f'{s} = "{V}"\nprint({s})',f"const {camel(l) or l} = '{V}';",f"{s}: {V}\nother: 1\n",f"{s.upper()}={V}\nDEBUG=1\n",f'user = User({s}="{V}", age=4)',f"<{camel(l) or l}>{V}</{camel(l) or l}>",f'curl -d "{s}={V}&x=1" https://api.example.com/v1',f'<input name="{s}" value="{V}">',f"[user]\n{s} = {V}\n"])
for _ in range(1):
  for k,(g,ls,strong) in T.items():
    for i in range(5): add("prose",prose(k,pick(ls),g()))
    for i in range(4): add("json",jdoc(k,pick(ls),g()))
    for i in range(2): add("table",table(k,pick(ls),[g() for _ in range(3)]))
    for i in range(2): add("log",log(k,pick(ls),g()))
    for i in range(2): add("code",code(k,pick(ls),g()))
    if strong:
        V=mark(k,g()); add("bare",pick([f"{pick(FILL)} {V} {pick(FILL)}",f"see {V}, ok?",V,f"Please use {V}.\n",f"{pick(FILL)} {V}"]))
        add("bare",{"content":[{"type":"text","text":pick([f"done: {mark(k,g())}",f"{mark(k,g())}"])}]})
    for l in ls: add("label",pick([f"{l}: {mark(k,g())}",f"{pick(FILL)} {l} {mark(k,g())}"]))
  for _ in range(40):
    v,ls=phone_nat(); add("phone",pick([prose,log])("PHONE",pick(ls),v)); v,ls=phone_nat(); add("phone",jdoc("PHONE",pick(ls),v))
    v=phone(); add("phone",prose("PHONE",pick(["phone","Tel","mobile","call","cell"]),v)); v=phone(); add("phone",pick([f"{pick(FILL)} {mark('PHONE',v)}",f"Reach us at {mark('PHONE',v)} or online.",f"{mark('PHONE',v)}"]))
    v=phone(); add("phone",jdoc("PHONE",pick(["phone","contactPhone","tel"]),v))
  # secrets
  for k,(g,ls,strong) in S.items():
    if k=="URL_CREDENTIALS":
        for i in range(10):
            pw=pick(["s3cr3t","hunter2","p%40ss","Zk9!xQ2","postgres123",rnd(B62,16)])
            sch=pick(["postgres","postgresql","mysql","mongodb+srv","redis","amqp","https","ftp","jdbc:postgresql"]); V=mark(k,pw)
            add("secret",pick([f"DATABASE_URL={sch}://app:{V}@db.internal:5432/main",f"connecting to {sch}://admin:{V}@10.0.0.5/x",f'url = "{sch}://u:{V}@example.com"',f"redis://:{V}@cache:6379/0"]))
            add("secret",{"dsn":f"{sch}://svc:{V}@host/db"})
        continue
    for i in range(7):
        v=g(); l=pick(ls); V=mark(k,v)
        if k=="PRIVATE_KEY":
            add("secret",pick([V,f"here is the key:\n{V}\nkeep it safe",f"{l}: |\n  "+V.replace("\n","\n  "),f'{l}="'+V.replace("\n","\\n")+'"']));add("secret",{l:V}); continue
        forms=[f"export {l}={V}",f"{l}={V}\nDEBUG=true",f'{l}: "{V}"',f"{l}: {V}",f'const k = process.env.{l.replace("-","_")} || "{V}";',f'{snake(l)} = "{V}"',f"-e {l}={V} \\\n",f'"{l}": "{V}",',f"  - name: {l}\n    value: {V}\n",f"[default]\n{l.lower()} = {V}\n",f"docker run -e {l}={V} img",f"ENV {l} {V}",f"os.environ['{l}'] = '{V}'",f"setx {l} {V}",f"$env:{l} = \"{V}\"",f"| {l} | {V} |",f"{l} := \"{V}\"",f"<add key=\"{l}\" value=\"{V}\" />",f"<{l}>{V}</{l}>",f"my {l} is {V}",f"{l}=\\\"{V}\\\""]
        if strong: forms+=[f"use {V} for now",V,f"Authorization: Bearer {mark('AUTHORIZATION_HEADER' if 0 else k,v)}",f"curl -H 'X-Key: {V}' https://x.y",f"token={V}&x=1",f"https://api.x.com/?key={V}","{"+f'"a":"{V}"'+"}",f"# {V}",f"{pick(FILL)} {V}"]
        add("secret",pick(forms))
        if not k.endswith("WEBHOOK"): add("secret",pick([{l:V},{"env":{l:V}},{"env":[{"name":l,"value":V}]},{"config":{"auth":{camel(l) or l:V}}},{"content":[{"type":"text","text":f"{l}={V}"}]},{"content":[{"type":"text","text":json.dumps({l:"@@"}).replace("@@",V)}]}]))
  for i in range(12):
    v=rnd(B64U,40); add("secret",pick([f"Authorization: Bearer {mark('AUTHORIZATION_HEADER',v)}",f"curl -H \"Authorization: Bearer {mark('AUTHORIZATION_HEADER',v)}\" https://x"]))
    v=base64.b64encode(f"admin:{rnd(B62,10)}".encode()).decode(); add("secret",f"Authorization: Basic {mark('BASIC_CREDENTIALS',v)}")
    add("secret",{"headers":{"Authorization":f"Bearer {mark('AUTHORIZATION_HEADER',rnd(B62,36))}"}})
  # evasions
  Z=["\u200b","\u200c","\u200d","\u2060","\ufeff","\u00ad"]
  CY=str.maketrans("aeopcxyABEKMHOPCTX","аеорсхуАВЕКМНОРСТХ")
  MATH={**{c:chr(0x1D7CE+i) for i,c in enumerate(D)},**{c:chr(0x1D41A+i) for i,c in enumerate(L)},**{c:chr(0x1D400+i) for i,c in enumerate(U)}}
  CIRC={"0":"⓪",**{str(i):chr(0x2460+i-1) for i in range(1,10)},**{c:chr(0x24D0+i) for i,c in enumerate(L)},**{c:chr(0x24B6+i) for i,c in enumerate(U)}}
  SUP=str.maketrans("0123456789","⁰¹²³⁴⁵⁶⁷⁸⁹")
  SUB=str.maketrans("0123456789","₀₁₂₃₄₅₆₇₈₉")
  EV={
   "zero_width":lambda v:pick(Z).join(v),
   "zero_width_few":lambda v:v[:4]+pick(Z)+v[4:],
   "fullwidth":lambda v:"".join(chr(ord(c)+0xFEE0) if "!"<=c<="~" else c for c in v),
   "arabic_digits":lambda v:v.translate(str.maketrans(D,"٠١٢٣٤٥٦٧٨٩")),
   "deva_digits":lambda v:v.translate(str.maketrans(D,"०१२३४५६७८९")),
   "persian_digits":lambda v:v.translate(str.maketrans(D,"۰۱۲۳۴۵۶۷۸۹")),
   "math_bold":lambda v:"".join(MATH.get(c,c) for c in v),
   "circled":lambda v:"".join(CIRC.get(c,c) for c in v),
   "superscript":lambda v:v.translate(SUP),"subscript":lambda v:v.translate(SUB),
   "cyrillic":lambda v:v.translate(CY),
   "tags":lambda v:"".join(chr(0xE0000+ord(c)) for c in v if ord(c)<128),
   "variation":lambda v:"\ufe0f".join(v),
   "base64":lambda v:base64.b64encode(f"value is {v} ok".encode()).decode(),
   "base64_bare":lambda v:base64.b64encode(v.encode()).decode(),
   "base64url":lambda v:b64u(f"id={v};"),
   "base64_twice":lambda v:base64.b64encode(base64.b64encode(f"the value {v}".encode())).decode(),
   "base64_gzip":lambda v:base64.b64encode(gzip.compress(f"the value {v} end".encode())).decode(),
   "base64_lines":lambda v:base64.encodebytes((f"Dear colleague, the value you asked for is {v} and nothing else. ").encode()).decode().strip(),
   "hex":lambda v:f"value {v}".encode().hex(),"hex_bare":lambda v:v.encode().hex(),"hex_spaced":lambda v:v.encode().hex(" "),"hex_0x":lambda v:"0x"+v.encode().hex(),
   "hex_colon":lambda v:v.encode().hex(":"),
   "percent":lambda v:"".join(f"%{b:02X}" for b in v.encode()),
   "percent_some":lambda v:urllib.parse.quote(v,safe="") if not v.isalnum() else "%"+f"{ord(v[0]):02x}"+v[1:],
   "percent_twice":lambda v:"".join(f"%25{b:02X}" for b in v.encode()),
   "entities_dec":lambda v:"".join(f"&#{ord(c)};" for c in v),"entities_hex":lambda v:"".join(f"&#x{ord(c):x};" for c in v),
   "entity_at":lambda v:v.replace("@","&commat;").replace(".","&period;") if "@" in v else f"&#{ord(v[0])};"+v[1:],
   "qp":lambda v:"".join(f"={ord(c):02X}" if ord(c)<128 else c for c in v),
   "qp_soft":lambda v:v[:5]+"=\n"+v[5:],
   "js_u":lambda v:"".join(f"\\u{ord(c):04x}" for c in v),"js_x":lambda v:"".join(f"\\x{ord(c):02x}" for c in v),"js_ubrace":lambda v:"".join(f"\\u{{{ord(c):x}}}" for c in v),"octal":lambda v:"".join(f"\\{ord(c):03o}" for c in v),
   "concat":lambda v:f'{v[:5]}" + "{v[5:]}',"concat_dot":lambda v:f"{v[:5]}' . '{v[5:]}","concat_adj":lambda v:f'{v[:5]}" "{v[5:]}',
   "html_tag":lambda v:f"<b>{v[:5]}</b>{v[5:]}","html_comment":lambda v:f"{v[:5]}<!-- x -->{v[5:]}","md_bold":lambda v:f"**{v[:5]}**{v[5:]}",
   "data_uri":lambda v:"data:text/plain;base64,"+base64.b64encode(f"v={v}".encode()).decode(),
   "data_uri_pct":lambda v:"data:text/plain,"+"".join(f"%{b:02X}" for b in v.encode()),
   "utf16_b64":lambda v:base64.b64encode(f"val {v} ok".encode("utf-16-le")).decode(),
   "base32":lambda v:base64.b32encode(f"value {v} ok".encode()).decode(),
   "byte_list":lambda v:"["+", ".join(str(b) for b in v.encode())+"]",
   "combining":lambda v:"\u0301".join(v),
   "nbsp":lambda v:v.replace(" ","\u00a0").replace("-","\u2011") ,
   "bidi":lambda v:"\u202d"+v+"\u202c",
   
  }
  DIG={
   "spaced":lambda v:" ".join(v),"dotted":lambda v:".".join(v),"dashed":lambda v:"-".join(v),"double_space":lambda v:"  ".join(v[i:i+4] for i in range(0,len(v),4)),"slash":lambda v:"/".join(v[i:i+4] for i in range(0,len(v),4)),"underscore":lambda v:"_".join(v[i:i+4] for i in range(0,len(v),4)),"comma":lambda v:", ".join(v[i:i+4] for i in range(0,len(v),4)),"thin":lambda v:"\u2009".join(v[i:i+4] for i in range(0,len(v),4)),"nl4":lambda v:"\n".join(v[i:i+4] for i in range(0,len(v),4)),"pairs":lambda v:" ".join(v[i:i+2] for i in range(0,len(v),2)),"middot":lambda v:"·".join(v[i:i+4] for i in range(0,len(v),4)),"pipe":lambda v:"|".join(v[i:i+4] for i in range(0,len(v),4)),
  }
  core=[("EMAIL",email),("CREDIT_CARD",lambda:card("v")),("US_SSN",ssn),("IBAN",iban),("PHONE",phone),("AWS_ACCESS_KEY",S["AWS_ACCESS_KEY"][0]),("GITHUB_TOKEN",S["GITHUB_TOKEN"][0]),("STRIPE_KEY",S["STRIPE_KEY"][0]),("ANTHROPIC_KEY",S["ANTHROPIC_KEY"][0]),("IP_ADDRESS",ip4)]
  for ev,f in EV.items():
    if not f: continue
    for k,g in core:
        if "digits" in ev and k in("EMAIL","ANTHROPIC_KEY","GITHUB_TOKEN","STRIPE_KEY","AWS_ACCESS_KEY","IBAN"): continue
        if ev in("superscript","subscript") and k not in("CREDIT_CARD","US_SSN","PHONE"): continue
        if ev=="cyrillic" and k in("CREDIT_CARD","US_SSN","PHONE","IP_ADDRESS"): continue
        if ev in("concat","concat_dot","concat_adj","qp_soft","newline","md_bold","html_tag","html_comment") and k in("IP_ADDRESS","PHONE") : continue
        v=g(); m=f(v)
        if m==v: continue
        V=mark(k,m)
        ctx={"PHONE":"phone","US_SSN":"ssn","IP_ADDRESS":"ip","CREDIT_CARD":"card"}.get(k,"value")
        if ev.startswith("concat"): x=f'x = "{V}"' if ev!="concat_dot" else f"$x = '{V}'"
        else: x=pick([f"{pick(FILL)} {ctx}: {V} {pick(FILL)}",f"{ctx} {V}",{"note":f"{ctx} {V}"},{ctx:V}])
        add("evasion",x,ev)
  for ev,f in DIG.items():
    for i in range(4): add("evasion",pick([f"card {mark('CREDIT_CARD',f(card('v')))} exp",{"note":f"pay with {mark('CREDIT_CARD',f(card('m')))}"}]),"dig_"+ev)
  for i in range(3):
    v=card("v"); add("evasion",{"n":Num("CREDIT_CARD",float(v))} if 0 else {"card":Num("CREDIT_CARD",int(v))},"json_int")
    v=card("v"); add("evasion",{"parts":[mark("CREDIT_CARD",v[:8]),mark("CREDIT_CARD",v[8:])]},"array_split")
    v=card("v"); add("evasion",{"parts":[mark("CREDIT_CARD",v[:4]),mark("CREDIT_CARD",v[4:8]),mark("CREDIT_CARD",v[8:12]),mark("CREDIT_CARD",v[12:])]},"array_split4")
    v=email(); add("evasion",{"parts":[mark("EMAIL",v[:v.index("@")+1]),mark("EMAIL",v[v.index("@")+1:])]},"array_split")
    v=S["GITHUB_TOKEN"][0](); add("evasion",{"parts":[mark("GITHUB_TOKEN",v[:9]),mark("GITHUB_TOKEN",v[9:])]},"array_split")
    v=S["AWS_ACCESS_KEY"][0](); add("evasion",{"content":[{"type":"text","text":"k="+mark("AWS_ACCESS_KEY",v[:9])},{"type":"text","text":mark("AWS_ACCESS_KEY",v[9:])+" end"}]},"block_split")
    v=iban("DE"); add("evasion",{"content":[{"type":"text","text":"iban "+mark("IBAN",v[:9])},{"type":"text","text":mark("IBAN",v[9:])+" end"}]},"block_split")
    v=email(); u_,d_=v.split("@"); add("evasion",f"write to {mark('EMAIL',u_+' (at) '+d_.replace('.',' (dot) '))} today","at_dot")
    add("evasion",f"write to {mark('EMAIL',u_+' [at] '+d_.replace('.',' [dot] '))} today","at_dot")
    add("evasion",f"write to {mark('EMAIL',u_+' AT '+d_.replace('.',' DOT '))} today","at_dot_caps")
    add("evasion",f"write to {mark('EMAIL',u_+'[at]'+d_)} today","at_only")
    add("evasion",{mark("EMAIL",email()):1},"key")
    add("evasion",{"users":{mark("US_SSN",ssn()):{"ok":True}}},"key")
    v=json.dumps({"a":json.dumps({"ssn":"@@"})}); add("evasion",{"content":[{"type":"text","text":v.replace("@@",mark("US_SSN",ssn()))}]},"json_in_json")
    v=json.dumps({"b":json.dumps({"a":json.dumps({"email":"@@"})})}); add("evasion",{"t":v.replace("@@",mark("EMAIL",email()))},"json_in_json3")
    v=card("v"); add("evasion",'{"n":%s}'%("«CREDIT_CARD|"+f"{v[0]}.{v[1:]}e15»"),"float_e")

# Clean documents: nothing in them is anybody's.
def clean(x): docs.append({"id":f"clean-{len(docs)}","spans":[],**({"text":x} if isinstance(x,str) else {"json":x})})
def hx(n): return rnd(HEX,n)
def uid(): return str(uuid.UUID(int=R.getrandbits(128),version=4))
for _ in range(12):
    e=R.randint(1600000000,1790000000)
    clean(f"commit {hx(40)}\nAuthor: build bot\nDate:   Tue Mar 5 10:11:12 2024 +0100\n\n    fix {hx(7)}")
    clean({"id":uid(),"trace_id":hx(32),"span_id":hx(16),"parent":None})
    clean({"order_id":int(dg(10)) ,"customer_id":R.randint(10**8,10**9-1),"total":R.randint(1,99999)/100})
    clean({"id":R.randint(10**17,10**18),"author_id":R.randint(10**16,10**17),"created_at":"2024-05-01T10:00:00Z"})
    clean(f"Order #{dg(9)} shipped via UPS 1Z{rnd(U+D,16)}; invoice INV-{dg(8)}; SKU {dg(3)}-{dg(4)}-{dg(2)}")
    clean(f"ISBN 978-3-16-{dg(6)}-{dg(1)} and ISBN-10 {dg(1)}-{dg(4)}-{dg(4)}-X; EAN {luhn('400'+dg(9))}; UPC {dg(12)}")
    clean(f"v{R.randint(0,20)}.{R.randint(0,30)}.{R.randint(0,99)} → {R.randint(100,130)}.0.{dg(4)}.{dg(2)} (Chrome/{R.randint(90,130)}.0.{dg(4)}.{dg(2)})")
    clean(f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{R.randint(90,130)}.0.{dg(4)}.{dg(3)} Safari/537.36")
    clean(f"{e} {e*1000+R.randint(0,999)} {e*10**6+R.randint(0,999999)} {e*10**9}")
    clean({"ts":e,"ms":e*1000,"us":e*10**6,"value":R.random()*1e9})
    clean(f"sha256:{hx(64)} md5 {hx(32)} etag \"{hx(32)}\" integrity sha512-{base64.b64encode(R.randbytes(64)).decode()}")
    clean(f"tracking 9400 1{dg(3)} {dg(4)} {dg(4)} {dg(4)} {dg(2)}" if 0 else f"parcel {dg(12)} DHL JJD{dg(18)}")
    clean(f"Part numbers: {dg(3)}-{dg(2)}-{dg(3)}, AB-{dg(4)}-{dg(2)}, {dg(5)}-{dg(5)}, ref 2024-{dg(6)}")
    clean({"rows":[[R.randint(10**9,2**31),R.randint(10**9,2**32),R.random()] for _ in range(5)]})
    clean({"lat_count":R.randint(10**9,10**10-1),"bytes":R.randint(10**10,10**12),"checksum":R.randint(10**8,10**9)})
    clean("\n".join(f"{i:>4} {dg(9)} {dg(10)} {dg(11)}" for i in range(5)))
    clean(f"import {{ x }} from 'react@18.2.0'; // git@github.com:org/repo{dg(2)}.git img@2x.png user@localhost npm i @scope/pkg@{dg(1)}.{dg(1)}.{dg(1)}")
    clean(f"Listening on 127.0.0.1:{dg(4)}, section 4.{dg(1)}.{dg(1)}.{dg(1)}, OID 1.3.6.1.4.1.{dg(5)}.1")
    clean(f"std::vec::{pick(['Vec','IntoIter'])} de::ad::beef a::b at 10:22:{dg(2)} ratio 16:9 {hx(2)}::")
    clean(f"Meeting on 2024-0{pick('123456789')}-1{dg(1)} at 14:30, release date 1{dg(1)}/0{pick('123456789')}/2023, created_at: 2022-1{pick('012')}-0{pick('123456789')}")
    clean({"max_tokens":4096,"nextCursor":b64u(R.randbytes(24)),"progressToken":R.randint(1,10**6),"token_count":R.randint(1,9999),"password_min_length":12,"passwordPolicy":"strong","tokenizer":"cl100k_base"})
    clean({"type":"object","properties":{"password":{"type":"string","minLength":8},"ssn":{"type":"string","pattern":"^\\d{3}-\\d{2}-\\d{4}$"},"api_key":{"type":"string","description":"Your API key"},"phone":{"type":"string","example":"string"}},"required":["password"]})
    clean("password=${DB_PASSWORD} token={{ .Values.token }} secret: <your-secret> api_key=YOUR_API_KEY_HERE pwd=****** key=xxxxxxxxxxxx PASSWORD=changeme")
    clean("const password = process.env.PASSWORD; const token = getToken(); secret = os.environ['SECRET']; apiKey: config.get('apiKey'), password: req.body.password")
    clean("-----BEGIN PUBLIC KEY-----\n"+"\n".join(rnd(B64,64) for _ in range(4))+"\n-----END PUBLIC KEY-----")
    clean("-----BEGIN CERTIFICATE-----\n"+"\n".join(rnd(B64,64) for _ in range(8))+"\n-----END CERTIFICATE-----\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"+rnd(B64,43)+" host")
    clean("!function(e,t){var n=%s,r='%s';for(var i=0;i<n;i++)e[%s]=t(0x%s)}(a,b);"%(dg(9),hx(12),dg(7),hx(8)))
    clean(f"0x{hx(8)} 0x{hx(16)} at 0x7f{hx(10)} in foo+0x{hx(2)}; free({dg(10)})")
    clean("Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua. "*2)
    clean(base64.b64encode(R.randbytes(120)).decode())
    clean({"image":{"type":"image","data":base64.b64encode(b"\x89PNG\r\n\x1a\n"+R.randbytes(200)).decode(),"mimeType":"image/png"}})
    clean(f"error code {dg(8)}, case {dg(7)}, ticket {dg(6)}, PO {dg(10)}, claim {dg(9)}, batch {dg(8)}, lot {dg(7)}")
    clean(f"GET /v1/items/{dg(9)}?page={dg(2)}&limit=100&cursor={b64u(R.randbytes(18))} 200 {dg(5)}ms {uid()}")
    clean(f"arXiv:2{dg(3)}.{dg(5)} doi:10.{dg(4)}/j.x.2020.{dg(6)} PMID {dg(8)} ORCID-free")
    clean(f"dimension 1920x1080, price 1,{dg(3)},{dg(3)}.00 EUR, {dg(3)}.{dg(3)}.{dg(3)},00 €, population {dg(1)} {dg(3)} {dg(3)} {dg(3)}")
    clean(f"ΔE={R.random()} matrix [{', '.join(str(R.random()) for _ in range(6))}]")
    clean(f"INSERT INTO orders (id, sku, qty) VALUES ({dg(9)}, '{dg(3)}-{dg(3)}-{dg(4)}', 4);")
    clean(f"id,sku,units,revenue\n1,{dg(8)},{dg(4)},{dg(7)}\n2,{dg(8)},{dg(4)},{dg(7)}")
    clean(f"| build | duration | hash |\n|---|---|---|\n| {dg(9)} | {dg(4)} | {hx(40)} |")
    clean(f"node_modules/.pnpm/foo@1.2.3_bar@4.5.6/node_modules: {hx(20)} arn:aws:iam::{dg(12)}:role/Admin subnet-{hx(17)} ami-{hx(17)} i-{hx(17)}")
    clean({"etag":hx(32),"version":f"{dg(1)}.{dg(2)}.{dg(3)}.{dg(1)}","build":f"20240{dg(3)}.{dg(2)}","digest":"sha256:"+hx(64)})
    clean(f"the token expired; the password was reset; secret sauce; my key point is this: passwords matter. Token: expired. Password: required. secret: none")
    clean(f"DOB field is required. Date of birth must be in the past. SSN: required. Enter your passport number. Phone: N/A. IBAN: missing")
    clean(f"fingerprint SHA256:{base64.b64encode(R.randbytes(32)).decode().rstrip('=')} serial {':'.join(hx(2) for _ in range(20))}")
    clean(f"epoch {e}.{dg(6)} pid {dg(5)} tid {dg(15)} mem {dg(11)} off {dg(12)}")
    clean(f"account balance 1{dg(5)}.{dg(2)}; routing table size {dg(9)}; card games 52; passport to success; license: MIT; license Apache-2.0; driver version {dg(3)}.{dg(2)}")
    clean(f"Flight LH{dg(4)}, seat 23A, gate B{dg(2)}, PNR {rnd(U,6)}, ticket 220-{dg(10)}")
    clean(f"hex dump:\n00000000  {' '.join(hx(2) for _ in range(16))}  |................|\n00000010  {' '.join(hx(2) for _ in range(16))}")
    clean({"jsonrpc":"2.0","id":R.randint(10**9,10**10),"result":{"content":[{"type":"text","text":f"Found {dg(4)} rows in {dg(3)} ms; next id {dg(12)}"}],"isError":False}})
    clean({"points":[[R.uniform(-1,1),R.uniform(-1,1)] for _ in range(4)],"seed":R.randint(10**9,4*10**9),"width":1024})
    clean(f"phpunit: 12 assertions, 3.14159265358979 s, {dg(10)} ns/op, {dg(12)} B/op")
    clean(f"color: #{hx(6)}; #{hx(8)}; rgba(12,13,14,.5); U+1F600; &#{dg(4)}; %20 %2F")
    clean(f"ids: {', '.join(dg(9) for _ in range(4))}; {', '.join(dg(11) for _ in range(3))}")
    clean({"ids":[dg(9),dg(10),dg(11),dg(12),dg(13)],"skus":[f"{dg(4)}-{dg(4)}",f"{rnd(U,2)}{dg(7)}"]})
    clean(f"model GPT-4-0613, {rnd(U,3)}{dg(4)}{rnd(U,1)}, serial {rnd(U+D,12)}, S/N C02{rnd(U+D,9)}, IMEI {luhn('35'+dg(12))}, ICCID 89{dg(17)}")
    clean(f"The year 1984-2024, pages 123-4567, 12-3456789ms? score 3-2, {dg(2)}-{dg(2)}-{dg(2)} combo")
for d in docs: print(json.dumps(d,ensure_ascii=False))
