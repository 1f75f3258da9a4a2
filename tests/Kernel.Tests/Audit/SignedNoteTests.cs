using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Kernel.Audit;

namespace Trust.Kernel.Tests.Audit;

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
}
