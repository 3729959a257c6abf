"""Short texts in many languages and encodings: the bytes are read as the letters that were written."""

import pytest

from headstart.data._letters import best

TEXTS = [
    (
        "cp1252",
        (
            "C'était très bon, à refaire dès que possible",
            "déçu par la qualité",
            "livraison rapide, goût excellent, ça marche",
        ),
    ),
    (
        "mac_roman",
        (
            "C'était très bon, à refaire dès que possible",
            "déçu par la qualité",
            "livraison rapide, goût excellent, ça marche",
        ),
    ),
    ("cp1252", ("It’s fine", "30 € too much", "“Never again” – they said…", "Brand™, I don’t like", "c’est bon")),
    ("mac_roman", ("El niño está aquí, muy rápido", "Añadí más azúcar")),
    ("cp1252", ("Sehr schön, würde ich wieder kaufen", "Größe passt nicht", "ÜBERALL SCHÖN")),
    ("cp1252", ("¡Qué bueno! El niño está contento", "malísimo, no lo compraré más")),
    ("cp1252", ("Não gostei, a atuação é ruim", "ótimo produto, recomendação")),
    ("cp1250", ("Zażółć gęślą jaźń, świetny film", "nie polecam, słaba jakość")),
    ("iso8859_2", ("Zażółć gęślą jaźń, świetny film", "nie polecam, słaba jakość")),
    ("cp1250", ("Příliš žluťoučký kůň, skvělý výrobek", "nikdy více, špatná kvalita")),
    ("cp1250", ("Nagyon jó termék, gyönyörű szőnyeg", "rossz minőség, nem ajánlom, tűrhető")),
    ("cp1254", ("Çok güzel bir ürün, teşekkürler", "kötü, beğenmedim, işe yaramıyor")),
    ("cp1251", ("Отличный фильм, рекомендую всем", "плохо, сломалось через день")),
    ("koi8_r", ("Отличный фильм, рекомендую всем", "плохо, сломалось через день")),
    ("cp866", ("Отличный фильм, рекомендую всем", "плохо, сломалось через день")),
    ("iso8859_5", ("Отличный фильм, рекомендую всем", "плохо, сломалось через день")),
    ("cp1251", ("Дуже гарний фільм, раджу всім", "погана якість, її зламали")),
    ("cp1253", ("Πολύ καλό προϊόν, το συνιστώ", "κακή ποιότητα, χάλασε αμέσως")),
    ("iso8859_7", ("Πολύ καλό προϊόν, το συνιστώ", "κακή ποιότητα, χάλασε αμέσως")),
    ("cp1255", ("מוצר מעולה, ממליץ לכולם", "איכות גרועה, לא לקנות")),
    ("cp1256", ("منتج رائع أنصح به الجميع", "جودة سيئة جدا ولا أنصح")),
    ("cp874", ("สินค้าดีมาก แนะนำเลย", "คุณภาพแย่มาก ไม่แนะนำ")),
    ("gb18030", ("这家酒店的服务非常好，下次还会再来的", "质量很差，不推荐", "早餐难吃，位置偏僻")),
    ("big5", ("這家酒店的服務非常好，下次還會再來的", "品質很差，不推薦", "早餐難吃，位置偏僻")),
    ("cp932", ("この映画はとても面白かったです。", "品質が悪い。二度と買いません", "最高でした")),
    ("euc_jp", ("この映画はとても面白かったです。", "品質が悪い。二度と買いません", "最高でした")),
    ("cp949", ("이 영화는 정말 재미있었습니다", "품질이 나빠요 추천하지 않습니다", "최고예요")),
    ("cp1257", ("Labai gražus daiktas, ačiū už greitą siuntą", "bloga kokybė, nebepirksiu šios prekės")),
]


@pytest.mark.parametrize(("encoding", "texts"), TEXTS)
def test_letters_tell_the_encoding(encoding, texts):
    for text in (*texts, " ".join(texts), *(f"text,label\n{text},1\n" for text in texts)):
        guessed = best(text.encode(encoding))
        assert text.encode(encoding).decode(guessed) == text


def test_bytes_that_are_no_language():
    assert best(b"c\xff \x81\xff a\x81 \x8f\xff" * 5) == ""
