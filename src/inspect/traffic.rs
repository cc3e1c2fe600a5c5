//! Texts as they come by in real traffic, each of which was once read wrongly: what must go, and what must stay.

use super::tests::{inspector, subject};
use serde_json::json;

/// What stands between `«` and `»` must not come out, all else must.
const TEXTS: &[&str] = &[
    // passwords where no sign, or an unusual name, stands before them
    "DB_PASS=«lH7b01HjWdo6ayK8Pc6aBl3c0»",
    "smtp_pass: \"«hunter-aB3dE9x7»\"",
    "curl -u admin:«S3cr3tPw9x» https://api.example.org/v1",
    "docker login -u ci -p «S3cr3tPw9xZ» registry.example.org",
    "mysql -uroot -p\"«S3cr3tPw9x»\" crm",
    "machine api.example.org login ci password «S3cr3tPw9xQ»",
    "CREATE USER app WITH PASSWORD '«S3cr3tPw9x»';",
    "ALTER USER app IDENTIFIED BY '«S3cr3tPw9x»';",
    "Authorization: token «8f3kQ2aV9bR7b1mZ4qWc0kPqLrT5»",
    "hasło: «Lato!2026xyz»",
    "Das Passwort lautet «Sommer!2026x»",
    "docker run -u 1000:1000 --user app:group2026 alpine",
    "login pass: 12/12, user_pass=95.5, devices are identified by 'serial91'",
    "curl -u admin:$TOKEN1 x; mysql -u app -protocol=tcp4; version:\n45.33.32.156",
    "secret: arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-Ab12Cd",
    // an address in the line below a version
    "x \"Mozilla/5.0 Chrome/126.0.0.0\"\n«203.129.36.196» - - [12/Sep",
    // a card behind a telephone's name, a column of numbers that is no card
    "phone «4532 0151 1283 0366»",
    "tel «0151 12345678», Karte «4111 1111 1111 1111»",
    "1885\n1888\n2227\n2228\n2243\n2244\nEND",
    // labels of other languages
    "Tlf.: «953 44 494»",
    "TELは«090-5008-0691»です",
    "Llámame al «667 19 31 65»",
    "narozen «12. června 2002»",
    "născută pe «16.09.1984»",
    "fødselsnummeret mitt: «11067265396»",
    // hardware addresses with few digits, and what looks like some
    "MAC «a2-2d-d0-db-d9-bd», «bb:ab:4b:2d:7f:ea», mac «0012.3456.7890»",
    "0111 ; [.1FEB.0021.0002][.0000.0039.0002], values 0001.0002.0003 x",
    // words behind letters and digits are no part of an account's number
    "Parcel LU313965648VG left the depot",
    "job=a72f1378-33e8-4273-ba83-cb12f507f458 took=3582ms",
    "getty@tty1.service, user@1000.service, icons-64x64@2.tar",
    // titles of a table of HTML
    "<table><tr><th>id</th><th>burgerservicenummer</th></tr><tr><td>1</td><td>«331508874»</td></tr>\
     <tr><td>2</td><td>«331508874»</td></tr></table>",
    // Base64 with a word on the next line
    "Card: «dGhlIGN1c3RvbWVyIHdyb3RlOiBjcmVkaXQgY2FyZCA0MzQyLTMwMjMtNTU1NS04MDE1IHBsZWFzZQ»\nThanks.",
];

#[test]
fn what_was_once_read_wrongly_is_read_rightly() {
    let mut wrong = Vec::new();
    for text in TEXTS {
        let (mut plain, mut secrets, mut kept) = (String::new(), Vec::new(), Vec::new());
        for part in text.split('«') {
            let (secret, rest) = part.split_once('»').unwrap_or(("", part));
            secrets.extend((!secret.is_empty()).then_some(secret));
            kept.push(rest);
            plain += secret;
            plain += rest;
        }
        let filtered = inspector().filter(json!(plain).to_string(), &subject(&[])).unwrap();
        let out: String = serde_json::from_str(filtered.value()).unwrap();
        let shown = secrets.iter().any(|secret| out.contains(secret));
        let mut from = 0;
        let all_kept = kept.iter().all(|part| {
            let found = out.get(from..).and_then(|rest| rest.find(part));
            from += found.map_or(0, |found| found + part.len());
            found.is_some()
        });
        if shown || !all_kept || filtered.findings().is_empty() != secrets.is_empty() {
            wrong.push(format!("{plain} came out as {out}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn keys_and_labels_that_were_once_overlooked_speak_for_their_values() {
    for (value, secret) in [
        (json!({"Environment": {"Variables": {"DB_PASS": "S3cr3tPw9x"}}}), "S3cr3tPw9x"),
        (json!({"answers": [{"question": "Date of birth", "answer": "27/06/1986"}]}), "27/06/1986"),
        (json!({"kojin_bango": "3730-6307-2061"}), "3730-6307-2061"),
        (json!({"client_ip": "17.25.24.13"}), "17.25.24.13"),
        (json!("the ssn is 5 3 6 2 2 8 7 2 6 ok"), "5 3 6 2 2 8 7 2 6"),
        (json!("ssn 536_22_8726, nhs number 943/476/5919"), "536_22_8726"),
        (json!("ssn 536_22_8726, nhs number 943/476/5919"), "943/476/5919"),
        (json!("nhs number **943** 476 5919"), "476 5919"),
        (json!("born 1985_03_12, phone 030_901820"), "1985_03_12"),
        (json!("born 1985_03_12, phone 030_901820"), "030_901820"),
        (json!("iban DE89_3704_0044_0532_0130_00"), "0532_0130"),
        // A bracket is no hint that a value stands for another.
        (json!({"password": "{Abc123xyz9}"}), "Abc123xyz9"),
    ] {
        let filtered = inspector().filter(value.to_string(), &subject(&[])).unwrap();
        assert!(!filtered.value().contains(secret), "{value}");
    }
    let account = json!({"accountId": "123456789012"}).to_string();
    assert_eq!(inspector().filter(account.clone(), &subject(&[])).unwrap().value(), &account);
}

#[test]
fn a_private_key_goes_as_a_whole_whatever_byte_stands_in_it() {
    let half = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj".repeat(4);
    let key = format!("-----BEGIN PRIVATE KEY-----\n{half}\0\n\0\n{half}\n-----END PRIVATE KEY-----\n");
    let filtered = inspector().filter(json!(key).to_string(), &subject(&[])).unwrap();
    assert_eq!(filtered.value(), "\"[PRIVATE_KEY]\\n\"");
}
