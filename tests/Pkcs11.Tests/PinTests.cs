using Trust.TestKit;

namespace Trust.Pkcs11.Tests;

public sealed class PinTests
{
    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.OtherWrite)]
    public async Task A_PIN_file_that_others_can_reach_is_refused(UnixFileMode extra)
    {
        var options = Tokens.NewOptions();
        File.SetUnixFileMode(options.PinFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | extra);

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await Pkcs11Token.Open(options, default));

        Assert.Equal("PIN_FILE", refused.CodeName);
    }

    [Fact]
    public void A_PIN_never_shows_itself()
    {
        var options = Tokens.NewOptions();
        using var pin = Pin.Read(options.PinFile);

        Assert.Equal("Pin(redacted)", pin.ToString());
    }

    [Fact]
    public async Task A_wrong_PIN_is_tried_once_and_its_refusal_does_not_show_it()
    {
        var options = Tokens.NewOptions();
        File.WriteAllText(options.PinFile, "99998888");

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await Pkcs11Token.Open(options, default));

        Assert.Equal("CKR_PIN_INCORRECT", refused.CodeName);
        Assert.DoesNotContain("99998888", refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_PIN_file_is_refused()
    {
        var options = Tokens.NewOptions();
        File.WriteAllText(options.PinFile, "\n");

        Assert.Equal("PIN_FILE", Assert.Throws<TokenException>(() => Pin.Read(options.PinFile)).CodeName);
    }
}
