from quest22.audio.codecs import FORMATS, missing_formats, supported_formats


def test_this_installation_decodes_every_format() -> None:
    assert supported_formats() == list(FORMATS)
    assert missing_formats() == []
