using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Crypto;

namespace Trust.LogFormat.Tests;

/// <summary>C2SP signed notes (Vectors/notes.json names its source).</summary>
public sealed class SignedNoteTests
{
    private static readonly JsonElement Vectors = JsonDocument.Parse(File.ReadAllBytes("Vectors/notes.json")).RootElement;

    [Fact]
    public void The_published_note_opens_and_its_key_writes_the_same_line()
    {
        var vector = Vectors.GetProperty("note");
        var key = NoteVerifier.TryParse(vector.GetProperty("vkey").GetString()!)!;
        Assert.Equal(vector.GetProperty("vkey").GetString(), key.VKey);
        var text = vector.GetProperty("text").GetString()!;
        Assert.Equal(text, SignedNote.TryOpen($"{text}\n\u2014 {key.Name} {vector.GetProperty("signature").GetString()}\n", [key], 1));
    }

    [Fact]
    public void The_published_checkpoint_opens_and_reads()
    {
        var vector = Vectors.GetProperty("checkpoint");
        var key = NoteVerifier.TryParse(vector.GetProperty("vkey").GetString()!)!;
        var checkpoint = new Checkpoint(key.Name, vector.GetProperty("size").GetInt64(), Convert.FromBase64String(vector.GetProperty("root").GetString()!));
        var text = SignedNote.TryOpen($"{checkpoint.Text}\n\u2014 {key.Name} {vector.GetProperty("signature").GetString()}\n", [key], 1);
        Assert.Equal(checkpoint.Size, Checkpoint.TryParse(text!)!.Size);
        Assert.Equal(checkpoint.Root, Checkpoint.TryParse(text!)!.Root);
    }

    [Fact]
    public void A_P256_line_beside_an_unknown_line_opens_and_a_bad_line_of_a_known_key_spoils_the_note()
    {
        using var signer = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var key = NoteVerifier.P256("log.example", signer.ExportSubjectPublicKeyInfo());
        const string text = "log.example\n7\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n";
        var signature = signer.SignData(Encoding.UTF8.GetBytes(text), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        var note = SignedNote.Write(text, [(key, signature)]);
        Assert.Equal(text, SignedNote.TryOpen(note + "\u2014 other.example AAAAAAAA\n", [key], 1));
        Assert.Null(SignedNote.TryOpen(note.Replace("\n7\n", "\n8\n", StringComparison.Ordinal), [key], 1));
        Assert.Null(SignedNote.TryOpen(note, [NoteVerifier.Ed25519("log.example", new byte[32])], 1));
        Assert.Null(SignedNote.TryOpen(note, [key], 2));
    }

    [Theory]
    [InlineData("log\n07\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n")]
    [InlineData("log\n-7\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n")]
    [InlineData("log\n7\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383c=\n")]
    [InlineData("\n7\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n")]
    [InlineData("log\n7\n")]
    public void A_checkpoint_with_a_second_spelling_is_refused(string text) => Assert.Null(Checkpoint.TryParse(text));

    [Fact]
    public void The_published_cosignature_opens_under_its_witness_and_under_no_plain_Ed25519_key()
    {
        var log = Vectors.GetProperty("checkpoint");
        var vector = Vectors.GetProperty("cosignature");
        var witness = NoteVerifier.TryParse(vector.GetProperty("vkey").GetString()!)!;
        var text = new Checkpoint("example.com/log/testdata", log.GetProperty("size").GetInt64(), Convert.FromBase64String(log.GetProperty("root").GetString()!)).Text;
        var note = $"{text}\n\u2014 example.com/log/testdata {log.GetProperty("signature").GetString()}\n\u2014 {witness.Name} {vector.GetProperty("signature").GetString()}\n";
        Assert.True(witness.IsCosigner);
        Assert.Equal(text, SignedNote.TryOpen(note, [witness, NoteVerifier.TryParse(log.GetProperty("vkey").GetString()!)!], 2));
        var line = SignedNote.TryRead(note)!.Value.Lines.Single(l => l.IsOf(witness));
        Assert.Equal(vector.GetProperty("time").GetUInt64(), Cosignature.TimeOf(line.Signature.Span));
        var later = line with { Signature = Cosignature.Write(Cosignature.TimeOf(line.Signature.Span) + 1, line.Signature.Span[8..]) };
        Assert.Null(SignedNote.TryOpen(SignedNote.Write(text, [later]), [witness], 1));
    }

    // C2SP signed-note: the same key as type 04 has another key id.
    [Fact]
    public void A_key_has_one_id_as_a_log_and_another_as_a_witness()
    {
        var log = NoteVerifier.TryParse(Vectors.GetProperty("note").GetProperty("vkey").GetString()!)!;
        var key = Convert.FromBase64String(log.VKey.Split('+', 3)[2])[1..];
        Assert.Equal("530d903a", Convert.ToHexStringLower(log.KeyId.Span));
        Assert.Equal("7c264079", Convert.ToHexStringLower(NoteVerifier.Cosigner(log.Name, key).KeyId.Span));
    }

    [Fact]
    public void An_SM2_line_is_a_private_type_whose_vkey_reads_back_and_whose_signature_binds_text_and_key()
    {
        using var signer = Sm2PrivateKey.Generate();
        var key = NoteVerifier.Sm2("log.example", signer.SubjectPublicKeyInfo.Span);
        Assert.Equal(key.KeyId.ToArray(), NoteVerifier.TryParse(key.VKey)!.KeyId.ToArray());
        Assert.Equal([0xFF, .. "trust.sm2.v1"u8], Convert.FromBase64String(key.VKey.Split('+', 3)[2])[..13]);
        const string text = "log.example\n7\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n";
        var note = SignedNote.Write(text, [(key, EcdsaForm.ToDer(signer.Sign(Encoding.UTF8.GetBytes(text))))]);
        Assert.Equal(text, SignedNote.TryOpen(note, [NoteVerifier.TryParse(key.VKey)!], 1));
        Assert.Null(SignedNote.TryOpen(note.Replace("\n7\n", "\n8\n", StringComparison.Ordinal), [key], 1));
        using var other = Sm2PrivateKey.Generate();
        Assert.Null(SignedNote.TryOpen(note, [NoteVerifier.Sm2("log.example", other.SubjectPublicKeyInfo.Span)], 1));
    }

    [Theory]
    [InlineData("log+00000000+BgAA")] // 06, ML-DSA-44: lines of such keys are ignored
    [InlineData("log+00000000+/3RydXN0LnNtMy52MQ==")] // another private type
    [InlineData("log+00000000+")]
    [InlineData("log+00000000")]
    public void A_key_of_a_type_that_is_not_read_here_is_no_verifier(string vkey) => Assert.Null(NoteVerifier.TryParse(vkey));

    [Theory]
    [InlineData("\u2014 log AAAAAAA\tA")]
    [InlineData("\u2014 log AAAAAAB=")]
    [InlineData("\u2014 log AAAA")]
    [InlineData("\u2014  AAAAAAAA")]
    [InlineData("- log AAAAAAAA")]
    [InlineData("\u2014 a+b AAAAAAAA")]
    public void A_signature_line_has_one_spelling(string line) => Assert.Null(NoteLine.TryParse(line));

    [Theory]
    [InlineData("x\n\n")]
    [InlineData("\n\n")]
    [InlineData("x\n\n\n")]
    [InlineData("x\n")]
    [InlineData("")]
    public void A_note_without_a_signature_line_is_none_and_no_fault(string note) => Assert.Null(SignedNote.TryRead(note));
}
