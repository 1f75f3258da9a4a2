using Trust.Kernel.Text;

namespace Trust.SignService.Prescriptions;

/// <summary>Paths of members in refusals.</summary>
internal static class MemberPath
{
    /// <summary>Member names come from the caller: shown short, and in plain letters only.</summary>
    public static string Shown(string path) =>
        CallersText.WithoutNumbers(new([.. path.Take(160).Where(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '[' or ']' or '(' or ')' or '-')]));
}
