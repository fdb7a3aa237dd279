<?xml version="1.0" encoding="utf-8"?>
<!-- Adds Microsoft.ML to a nuspec's dependencies, in place of those packages that only stand for what ML.NET depends on itself. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:param name="version" />
  <xsl:output indent="yes" encoding="utf-8" />
  <xsl:template match="@*|node()">
    <xsl:copy>
      <xsl:apply-templates select="@*|node()" />
    </xsl:copy>
  </xsl:template>
  <xsl:template match="*[local-name() = 'dependency'][@id = 'Newtonsoft.Json' or @id = 'System.Numerics.Tensors']" />
  <xsl:template match="*[local-name() = 'dependencies']/*[local-name() = 'group']">
    <xsl:copy>
      <xsl:apply-templates select="@*" />
      <xsl:element name="dependency" namespace="{namespace-uri()}">
        <xsl:attribute name="id">Microsoft.ML</xsl:attribute>
        <xsl:attribute name="version"><xsl:value-of select="$version" /></xsl:attribute>
        <xsl:attribute name="exclude">Build,Analyzers</xsl:attribute>
      </xsl:element>
      <xsl:apply-templates select="node()" />
    </xsl:copy>
  </xsl:template>
</xsl:stylesheet>
