using Microsoft.Extensions.Primitives;
using Trust.Idp.Clients;

namespace Trust.Idp.Tests.Clients;

public sealed class FormFieldsTests
{
    private static FormFields? Of(params (string Name, StringValues Value)[] fields) => FormFields.Of(fields.Select(f => KeyValuePair.Create(f.Name, f.Value)));

    [Fact]
    public void A_repeated_parameter_is_refused() => Assert.Null(Of(("scope", new StringValues(["openid", "rx.sign"]))));

    [Fact]
    public void A_parameter_without_a_value_counts_as_omitted()
    {
        var fields = Of(("state", ""))!;
        Assert.False(fields.Has("state"));
        Assert.Null(fields.Text("state"));
    }

    [Fact]
    public void An_oversized_value_and_a_null_character_are_refused()
    {
        Assert.Null(Of(("state", new string('x', 9000))));
        Assert.Null(Of(("state", "a\0b")));
    }
}
